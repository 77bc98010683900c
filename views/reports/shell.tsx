import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import { Minute } from '../layout/format.tsx'
import { REPORT_CSS } from './style.ts'

interface ShellData {
  title: string
  madeAt: Date
  version: string
  children: Child
}

/** A report's page, complete by itself. */
export function ReportShell({ title, madeAt, version, children }: ShellData) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{title}</title>
        <style>{raw(REPORT_CSS)}</style>
      </head>
      <body>
        <main>{children}</main>
        <footer class="small soft">
          <p>
            Made <Minute at={madeAt} /> UTC by Weir {version}.
          </p>
        </footer>
      </body>
    </html>
  )
}

import type { Child } from 'hono/jsx'
import type { Reader } from '../../src/routes/access/reader.ts'

export interface ShellProps {
  reader: Pick<Reader, 'theme' | 'zone'>
  title: string
  /** Style sheets and scripts of this page. */
  head?: Child
  bodyClass?: string
  children?: Child
}

/** An HTML document in its reader's theme and time zone, so that the first paint has them. */
export function Shell({ reader: { theme, zone }, title, head, bodyClass, children }: ShellProps) {
  return (
    <html
      lang="en"
      data-theme={theme === 'system' ? undefined : theme}
      data-zone={zone === 'reader' ? undefined : zone}
    >
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content={theme === 'system' ? 'dark light' : theme} />
        <title>{`${title} · Weir`}</title>
        <link rel="icon" href="/assets/views/layout/weir.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/views/layout/weir.css" />
        {head}
      </head>
      <body class={bodyClass}>{children}</body>
    </html>
  )
}

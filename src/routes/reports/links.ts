import { Type } from '@sinclair/typebox'
import type { Links } from '../../auth/links.ts'
import { DAY_MS, MINUTE_MS } from '../../core/time.ts'
import { periodOf } from '../../reports/report.ts'
import { dateOf } from '../http/input.ts'

/** How long a link is valid, in milliseconds: default, and bounds. */
const LINK_MS = 30 * DAY_MS
const MIN_LINK_MS = MINUTE_MS
const MAX_LINK_MS = 366 * DAY_MS
export const MAX_LINK_BYTES = 4_096

/** What a link's maker may choose. */
export const LINK_FIELDS = {
  expiresInMs: Type.Optional(Type.Integer({ minimum: MIN_LINK_MS, maximum: MAX_LINK_MS, default: LINK_MS })),
  from: Type.Optional(Type.String({ format: 'date-time' })),
  to: Type.Optional(Type.String({ format: 'date-time' })),
}

export interface LinkDeps {
  access: { links: Links }
  now(): number
  /** Public URL of Weir, without a trailing slash. */
  self(): string
}

/** The page that a link opens. */
interface Linked {
  /** The route, as the router knows it. */
  route: string
  /** Its path. */
  path: string
  subject: string
}

/** Answers with a new link to a report. @throws Problem `invalid_field` */
export async function shareReport(
  { access, now, self }: LinkDeps,
  { route, path, subject }: Linked,
  asked: { expiresInMs?: number; from?: string; to?: string },
): Promise<Response> {
  const { from, to } = periodOf(datesOf(asked), now())
  const expires = new Date(now() + (asked.expiresInMs ?? LINK_MS))
  const [since, until, expiresAt] = [from, to, expires].map((at) => at.toISOString()) as [
    ...[string, string, string],
  ]
  const query = await access.links.sign({ route, subject, from: since, to: until, expires: expiresAt })
  const headers = { 'Cache-Control': 'no-store' }
  return Response.json({ url: `${self()}${path}?${query}`, from, to, expiresAt }, { status: 201, headers })
}

export function datesOf({ from, to }: { from?: string | undefined; to?: string | undefined }) {
  return {
    ...(from !== undefined && { from: dateOf('from', from) }),
    ...(to !== undefined && { to: dateOf('to', to) }),
  }
}

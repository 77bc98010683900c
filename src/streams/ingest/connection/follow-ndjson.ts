import type { Follow } from '../followers.ts'
import { type Format, followConnection } from './follow-connection.ts'
import { jsonLines } from './json-lines.ts'

const NDJSON: Format = {
  kind: 'ndjson',
  endOfEvent: /\n$/,
  parser: (config) => jsonLines(config),
  resuming: () => undefined,
}

/** Follows an endless response of JSON lines. */
export const followNdjson: Follow = (...run) => followConnection(NDJSON, ...run)

import type { Follow } from '../followers.ts'
import { idReader } from './event-ids.ts'
import { followConnection } from './follow-connection.ts'
import { httpFormat } from './http-wire.ts'
import { jsonLines } from './json-lines.ts'

const NDJSON = httpFormat({
  kind: 'ndjson',
  endOfEvent: /\n$/,
  parser: (config, stream) => jsonLines(config, idReader(stream)),
  resuming(id, { url }, { messages }) {
    const template = messages?.resume
    if (!template) return undefined
    const query = template.replaceAll('{lastEventId}', () => encodeURIComponent(id))
    const resumed = new URL(url)
    resumed.search = resumed.search === '' ? query : `${resumed.search}&${query}`
    return { url: resumed.href }
  },
})

/** Follows an endless response of JSON lines. */
export const followNdjson: Follow = (...run) => followConnection(NDJSON, ...run)

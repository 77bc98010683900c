import { until } from '../../support/until.ts'
import type { Weir } from './weir.ts'

/** Streams of one import. */
export const IMPORTED = 5_000
const LINES = 'application/x-ndjson'

export function importAll(weir: Weir): Promise<string> {
  const body = Array.from({ length: IMPORTED }, (_, index) =>
    JSON.stringify({
      name: `imported ${index}`,
      url: `http://127.0.0.1:9/${index}`,
      kind: 'poll',
      start: false,
    }),
  ).join('\n')
  return ask(weir, '/api/streams/import', { method: 'POST', headers: { 'Content-Type': LINES }, body })
}

export async function removeAll(weir: Weir): Promise<void> {
  const ids = (await listed(weir)).map(({ id }) => id)
  const body = JSON.stringify({ action: 'delete', ids })
  const headers = { 'Content-Type': 'application/json' }
  if (ids.length > 0) await ask(weir, '/api/streams/bulk', { method: 'POST', headers, body })
}

export async function listed(weir: Weir): Promise<{ id: string }[]> {
  return lines(await ask(weir, '/api/streams/export?format=ndjson'))
}

export async function log(weir: Weir, id: string): Promise<{ seq: number }[]> {
  return lines(await ask(weir, `/api/streams/${id}/logs`, { headers: { Accept: LINES } }))
}

export async function count(weir: Weir): Promise<number> {
  return (await listed(weir)).length
}

export async function entries(weir: Weir): Promise<number> {
  const report = JSON.parse(await ask(weir, '/api/storage')) as { log: { entries: number } }
  return report.log.entries
}

/**
 * Asks again while the database is away: its server was killed, and Weir starts it again.
 * @throws if Weir ends, or refuses
 */
export function ask(weir: Weir, path: string, init?: RequestInit): Promise<string> {
  return until(`${path} is answered`, async () => {
    try {
      const response = await fetch(weir.url + path, init)
      const text = await response.text()
      if (response.ok) return { text }
      if (response.status < 500) throw new Refused(`${path} was answered ${response.status}: ${text}`)
    } catch (error) {
      if (error instanceof Refused || weir.pid === undefined) throw error
    }
    return undefined
  }).then(({ text }) => text)
}

class Refused extends Error {}

function lines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
}

import type { Weir } from './weir.ts'

/** Streams of one import. */
export const IMPORTED = 5_000
const NDJSON = { 'Content-Type': 'application/x-ndjson' }

export async function importAll(weir: Weir): Promise<string> {
  const body = Array.from({ length: IMPORTED }, (_, index) =>
    JSON.stringify({
      name: `imported ${index}`,
      url: `http://127.0.0.1:9/${index}`,
      kind: 'poll',
      start: false,
    }),
  ).join('\n')
  return (await fetch(`${weir.url}/api/streams/import`, { method: 'POST', headers: NDJSON, body })).text()
}

export async function removeAll(weir: Weir): Promise<void> {
  const ids = (await listed(weir)).map(({ id }) => id)
  const body = JSON.stringify({ action: 'delete', ids })
  const headers = { 'Content-Type': 'application/json' }
  if (ids.length > 0)
    await (await fetch(`${weir.url}/api/streams/bulk`, { method: 'POST', headers, body })).text()
}

export async function listed(weir: Weir): Promise<{ id: string }[]> {
  return lines(await fetch(`${weir.url}/api/streams/export?format=ndjson`))
}

export async function log(weir: Weir, id: string): Promise<{ seq: number }[]> {
  return lines(
    await fetch(`${weir.url}/api/streams/${id}/logs`, { headers: { Accept: 'application/x-ndjson' } }),
  )
}

export async function lines<T>(response: Response): Promise<T[]> {
  if (!response.ok)
    throw new Error(`${response.url} was answered ${response.status}: ${await response.text()}`)
  return (await response.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T)
}

export async function count(weir: Weir): Promise<number> {
  return (await listed(weir)).length
}

export async function entries(weir: Weir): Promise<number> {
  const report = (await (await fetch(`${weir.url}/api/storage`)).json()) as { log: { entries: number } }
  return report.log.entries
}

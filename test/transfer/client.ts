import type { LineOutcome } from '../../src/transfer/item.ts'
import type { TestWeir } from '../support/weir.ts'

export interface Report {
  dryRun: boolean
  totals: Record<'lines' | LineOutcome['outcome'], number>
  lines: LineOutcome[]
}

/** Imports a file whose type nobody says; objects go as JSON. */
export async function importInto(weir: TestWeir, file: unknown, query = ''): Promise<Report> {
  const body = typeof file === 'string' ? file : JSON.stringify(file)
  const response = await fetch(`${weir.url}/api/streams/import?${query}`, { method: 'POST', body })
  if (response.status !== 200) throw new Error(`Not imported: ${await response.text()}`)
  return response.json() as Promise<Report>
}

/** What an import was refused with. */
export async function refusedBy(weir: TestWeir, body: string | ReadableStream, query = '') {
  const response = await fetch(`${weir.url}/api/streams/import?${query}`, { method: 'POST', body })
  return { status: response.status, ...((await response.json()) as { code: string; field?: string }) }
}

export async function exported(weir: TestWeir, query = ''): Promise<string> {
  return (await weir.get(`/api/streams/export?${query}`)).text()
}

/** The streams of an export as JSON. */
export async function exportedList(weir: TestWeir, query = ''): Promise<Record<string, unknown>[]> {
  return JSON.parse(await exported(weir, query))
}

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from './environment.ts'

/** The file in a data directory that names the Weir that uses it. */
const NOTE = 'address'
const DEFAULT_DATA_DIR = './data'
/** Longest wait for the answer of one that is named, in milliseconds: after a crash, nobody answers there. */
const ANSWER_MS = 1_000

/**
 * Notes in the data directory where Weir listens, for programs on this machine; does nothing if that fails.
 * @returns removes the note, unless another Weir has written its own
 */
export function noteAddress(dataDir: string, url: string): () => void {
  const path = join(dataDir, NOTE)
  try {
    writeFileSync(path, `${url}\n`, { mode: 0o600 })
  } catch {
    return () => {}
  }
  return () => {
    if (notedIn(path) === url) rmSync(path, { force: true })
  }
}

/**
 * The URL of the Weir that is meant if none is named: by `WEIR_URL`, by `PORT`, or by the data directory, if the one that
 * it names answers; undefined if nothing says.
 */
export async function runningWeir({ WEIR_URL, PORT, DATA_DIR }: Environment): Promise<string | undefined> {
  if (WEIR_URL?.trim()) return WEIR_URL.trim()
  if (/^[1-9]\d{0,4}$/.test(PORT?.trim() ?? '')) return `http://localhost:${PORT?.trim()}`
  const noted = notedIn(join(DATA_DIR?.trim() || DEFAULT_DATA_DIR, NOTE))
  return noted !== undefined && (await answers(noted)) ? noted : undefined
}

function notedIn(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return URL.parse(text)?.protocol === 'http:' ? text : undefined
  } catch {
    return undefined
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const { ok, body } = await fetch(`${url}/healthz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    await body?.cancel()
    return ok
  } catch {
    return false
  }
}

import { type Bucket, drain, type ObjectRequest } from './bucket.ts'
import { ArchiveError, type ArchiveErrorCode, archiveError, sentence } from './errors.ts'

/** One request of the test, and its result. */
export interface TriedStep {
  step: 'write' | 'read' | 'delete'
  isOk: boolean
  /** Without the signature. */
  request: { method: string; url: string }
  /** Null if there was no response. */
  response: { status: number; headers: Record<string, string> } | null
  durationMs: number
  error: { code: ArchiveErrorCode; message: string } | null
}

/** Response headers that help to diagnose a failure. */
const SHOWN_HEADERS = new Set([
  'server',
  'date',
  'content-type',
  'content-length',
  'etag',
  'x-amz-request-id',
])
const METHODS = { write: 'PUT', read: 'GET', delete: 'DELETE' } as const

/** Writes a small object, reads it back and deletes it. If writing fails, it isn't read. */
export async function tryBucket(
  bucket: Bucket,
  signal: AbortSignal,
  now: () => number,
): Promise<TriedStep[]> {
  const name = `weir-test-${crypto.randomUUID()}.txt`
  const key = `${bucket.prefix}/${name}`
  const body = new TextEncoder().encode(`Weir is testing write access. ${name}\n`)
  const steps: TriedStep[] = []
  for (const step of ['write', 'read', 'delete'] as const) {
    if (step !== 'write' && !steps[0]?.isOk) break
    const request = { method: METHODS[step], key, body: step === 'write' ? body : undefined, signal }
    steps.push(await tryStep(bucket, step, request, step === 'read' ? body : undefined, now))
  }
  return steps
}

async function tryStep(
  bucket: Bucket,
  step: TriedStep['step'],
  request: ObjectRequest,
  expected: Uint8Array | undefined,
  now: () => number,
): Promise<TriedStep> {
  const began = now()
  const tried = { step, request: { method: request.method, url: bucket.urlOf(request.key) } }
  let response: TriedStep['response'] = null
  try {
    const answer = await bucket.send(request)
    response = { status: answer.status, headers: shownHeaders(answer.headers) }
    if (!answer.ok) throw archiveError(await bucket.refusalOf(answer, 'NoSuchBucket'))
    if (expected === undefined) await drain(answer)
    else if (!Bun.deepEquals(new Uint8Array(await answer.arrayBuffer()), expected)) throw sentence('mismatch')
    return { ...tried, isOk: true, response, durationMs: now() - began, error: null }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error
    const { code, message } = error
    return { ...tried, isOk: false, response, durationMs: now() - began, error: { code, message } }
  }
}

function shownHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => SHOWN_HEADERS.has(name)))
}

import type { Json } from '../../src/core/documents/document.ts'
import { stringifyJson } from '../../src/core/documents/json.ts'
import { rebuild } from '../../src/streams/ingest/follow-document.ts'
import { checkOrder } from '../faults/checks/log.ts'
import type { LoggedEntry } from '../support/weir.ts'
import type { FuzzRequest } from './requests.ts'
import type { Outcome } from './send.ts'

/** Codes with which an answer of 500 and above is no bug: the fault is somebody else's, or passes. */
const NO_BUGS = ['upstream_failed', 'unavailable']
/** Of a request and of its answer, in characters, that a fault shows. */
const SHOWN = 400

/** What is wrong with an answer; undefined when nothing is. */
export function faultOf(request: FuzzRequest, outcome: Outcome): string | undefined {
  if (outcome.kind === 'unsendable') return undefined
  if (outcome.kind === 'nothing') return `${described(request)}\n  no answer: ${outcome.why}`
  const { status, text } = outcome
  // To a part of a page a problem is a notice, without a body.
  if ((status === 502 || status === 503) && 'HX-Request' in request.headers) return undefined
  // The proxy tells errors as events.
  const isInside = text.includes('"status":50000,')
  const isBug = status >= 500 && status !== 505 && !NO_BUGS.some((code) => text.includes(`"code":"${code}"`))
  return isBug || isInside ? `${described(request)}\n  ${status}: ${text.slice(0, SHOWN)}` : undefined
}

/** Proves that a stream's log is whole, and that its documents rebuild to the hashes that it carries. */
export function judgeLog(name: string, log: readonly LoggedEntry[]): string[] {
  const faults = checkOrder(name, log)
  let document: string | undefined
  for (const { kind, seq, data, hash } of log) {
    if (kind !== 'snapshot' && kind !== 'patch') continue
    try {
      const followed =
        kind === 'snapshot' ? rebuild(textOf(data), []) : rebuild(document as string, [textOf(data)])
      document = textOf(followed.document)
      if (followed.hash !== hash)
        faults.push(`${name}: the ${kind} of seq ${seq} does not rebuild to its hash`)
    } catch (error) {
      faults.push(`${name}: the ${kind} of seq ${seq} can't be applied: ${String(error).split('\n')[0]}`)
    }
    if (faults.length > 0) break
  }
  return faults
}

/** Digit for digit: entries are read as they were written. */
function textOf(data: unknown): string {
  return stringifyJson(data as Json)
}

function described({ method, path, headers, body }: FuzzRequest): string {
  const sent =
    body === undefined ? '' : ` ${JSON.stringify(Buffer.from(body).toString('latin1').slice(0, SHOWN))}`
  return `${method} ${path.slice(0, SHOWN)} ${JSON.stringify(headers)}${sent}`
}

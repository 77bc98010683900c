import type { Stream } from '../ingest/run.ts'
import { makeTwin } from '../twins/twin.ts'
import { newStream } from './new-stream.ts'
import type { Registration } from './registration.ts'
import { optionColumns } from './request-options.ts'

/**
 * The rows for a registration: the stream and, if requested, its twin.
 * @param id the ID of a stream that has one already; omitted for a new one
 * @throws Problem `invalid_field` for a twin of an API that already streams
 */
export function fromRegistration(
  registration: Registration & Pick<Stream, 'kind'>,
  id?: string,
): [Stream, ...Stream[]] {
  const { start = true, twin = false, tags = [], notify = [], ...given } = registration
  const { cookies, repeatable, auth, tls, ...said } = given
  const stream = newStream({
    ...said,
    ...optionColumns({ cookies, repeatable, auth, tls }),
    ...(id !== undefined && { id }),
    url: new URL(said.url).href,
    tags: unique(tags),
    notify: unique(notify),
    desired: start ? 'running' : 'stopped',
  })
  return twin ? [stream, makeTwin(stream)] : [stream]
}

/** Removes duplicates from tags and channels, and keeps their order. */
export function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

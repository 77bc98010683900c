import type { Stream } from '../ingest/run.ts'
import { makeTwin } from '../twins/twin.ts'
import { newStream } from './new-stream.ts'
import type { Registration } from './registration.ts'

/**
 * What is stored of a registration: the stream and, where it asks for one, its twin.
 * @param id of a stream that has one already; left out, it gets a new one
 * @throws Problem `invalid_field` for the twin of an API that streams already
 */
export function fromRegistration(
  registration: Registration & Pick<Stream, 'kind'>,
  id?: string,
): [Stream, ...Stream[]] {
  const { start = true, twin = false, tags = [], notify = [], ...said } = registration
  const stream = newStream({
    ...said,
    ...(id !== undefined && { id }),
    url: new URL(said.url).href,
    tags: unique(tags),
    notify: unique(notify),
    desired: start ? 'running' : 'stopped',
  })
  return twin ? [stream, makeTwin(stream)] : [stream]
}

/** Tags and channels are sets that keep their order. */
export function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { bytes } from '../layout/format.tsx'

/** A polled stream and its twin, which follows the same API through the proxy: what both received in the last 24 hours. */
export interface TwinView {
  polling: TwinSideView
  streaming: TwinSideView
  /** Part of the polled bytes that streaming doesn't move; `null` before anything was received. */
  saving: number | null
}

export interface TwinSideView {
  id: string
  requests: number
  versions: number
  errors: number
  headBytes: number
  wireBytes: number
  totalBytes: number
}

/** Both sides in one table: on the first page and in every live update. */
export function TwinPanel({ polling, streaming, saving }: TwinView) {
  const most = Math.max(polling.totalBytes, streaming.totalBytes, 1)
  return (
    <section id="twin" class="panel" aria-label="Twin">
      <h2>Side by side</h2>
      <p>
        {saving === null
          ? 'Nothing was received in the last 24 hours.'
          : `Measured over the last 24 hours: streaming moved ${comparison(saving)}.`}
      </p>
      <div class="table-scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Received</th>
              <th scope="col" class="number">
                Total
              </th>
              <th scope="col" class="number">
                Bodies
              </th>
              <th scope="col" class="number">
                Heads
              </th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col" class="number">
                Versions
              </th>
              <th scope="col" class="number">
                Errors
              </th>
            </tr>
          </thead>
          <tbody>
            <Side label="Polling" side={polling} most={most} colour="var(--soft)" />
            <Side label="Streaming" side={streaming} most={most} colour="var(--neon)" />
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** Where a polled stream has no twin yet: it is one press away. */
export function TwinOffer({ id, name }: { id: string; name: string }) {
  return (
    <section id="twin" class="panel" aria-labelledby="twin-offer">
      <h2 id="twin-offer">Measure it</h2>
      <p>
        The figures above are what streaming would save. A twin follows the same API as a stream, beside this
        one: then both are measured. <a href="/twins">All twins</a>
      </p>
      <form class="actions" method="post" action="/twins">
        <input type="hidden" name="stream" value={id} />
        <input type="hidden" name="from" value="stream" />
        <button type="submit">Make a twin</button>
        <Curl path={`/api/streams/${id}/twin`} does={`make a twin of ${name}`} />
      </form>
    </section>
  )
}

function Side({
  label,
  side,
  most,
  colour,
}: {
  label: string
  side: TwinSideView
  most: number
  colour: string
}) {
  const count = (value: number) => value.toLocaleString('en')
  return (
    <tr>
      <th scope="row">
        <a href={`/streams/${side.id}`}>{label}</a>
        <Bar share={side.totalBytes / most} colour={colour} />
      </th>
      <td class="number">{bytes(side.totalBytes)}</td>
      <td class="number">{bytes(side.wireBytes)}</td>
      <td class="number">{bytes(side.headBytes)}</td>
      <td class="number">{count(side.requests)}</td>
      <td class="number">{count(side.versions)}</td>
      <td class="number">{count(side.errors)}</td>
    </tr>
  )
}

function comparison(saving: number): string {
  const share = `${Math.abs(saving * 100).toFixed(1)} %`
  return saving >= 0
    ? `${share} fewer bytes than polling with gzip and validators`
    : `${share} more bytes than polling`
}

import { BASELINES, HEADLINE } from '../../src/core/saved.ts'
import type { TwinReport, TwinSide } from '../../src/streams/twins/twin.ts'
import { Bar } from '../layout/bar.tsx'
import { Curl } from '../layout/curl.tsx'
import { bytes, savedPercent } from '../layout/format.tsx'

/** Bytes received by both in the last 24 hours. */
export type TwinView = Pick<TwinReport, 'polling' | 'streaming' | 'measuredSaving' | 'polledSaving'>

/** Both sides in one table: on the first page and in every live update. */
export function TwinPanel({ polling, streaming, measuredSaving, polledSaving }: TwinView) {
  const most = Math.max(polling.totalBytes, streaming.totalBytes, 1)
  return (
    <section id="twin" class="panel" aria-label="Twin">
      <h2>Twin</h2>
      <p>
        {measuredSaving === null
          ? 'No data in the last 24 hours.'
          : `Measured over the last 24 hours: streaming transferred ${than(measuredSaving)} ${BASELINES[HEADLINE]}, and ${than(polledSaving ?? 0)} Weir's own polls.`}
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
                Headers
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
            <Side label="Polling" side={polling} most={most} color="var(--soft)" />
            <Side label="Streaming" side={streaming} most={most} color="var(--neon)" />
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** Offers to create a twin of a polled stream. */
export function TwinOffer({ id, name }: { id: string; name: string }) {
  return (
    <section id="twin" class="panel" aria-labelledby="twin-offer">
      <h2 id="twin-offer">Measure the savings</h2>
      <p>
        The savings above are estimates. A twin streams the same API through the proxy, so that both are
        measured. <a href="/twins">All twins</a>
      </p>
      <form class="actions" method="post" action="/twins">
        <input type="hidden" name="stream" value={id} />
        <input type="hidden" name="from" value="stream" />
        <button type="submit">Create twin</button>
        <Curl path={`/api/streams/${id}/twin`} does={`create a twin of ${name}`} />
      </form>
    </section>
  )
}

function Side({ label, side, most, color }: { label: string; side: TwinSide; most: number; color: string }) {
  const count = (value: number) => value.toLocaleString('en')
  return (
    <tr>
      <th scope="row">
        <a href={`/streams/${side.id}`}>{label}</a>
        <Bar share={side.totalBytes / most} color={color} />
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

function than(saving: number): string {
  return `${savedPercent(Math.abs(saving))} ${saving < 0 ? 'more' : 'less'} than`
}

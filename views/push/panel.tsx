import { factsOf, type PushSettings } from '../../src/core/sets/push-schemes.ts'
import { Fact } from '../layout/fact.tsx'
import { Ago } from '../layout/format.tsx'
import { exampleOf } from './url.tsx'

export interface PushView {
  id: string
  hasUrl: boolean
  settings: PushSettings
  /** Deliveries that were refused in the last hour, and the last one; omitted if none ever was. */
  refused: { lastHour: number; reason: string; at: Date } | undefined
}

/** How events are pushed to a stream, and which were refused: on the first page and in every live update. */
export function PushPanel({ id, hasUrl, settings, refused }: PushView) {
  return (
    <section id="push" class="panel" aria-label="Push">
      <h2>Push</h2>
      <dl class="facts">
        <Fact name="Signature">{factsOf(settings.scheme).label}</Fact>
        {settings.idFrom && <Fact name="ID from">{settings.idFrom}</Fact>}
        <Fact name="URL">{hasUrl ? 'set, never shown again' : 'none yet'}</Fact>
        <Fact name="Refused">
          {refused?.lastHour ?? 0} refused in the last hour
          {refused && (
            <span class="below">
              {refused.reason} <Ago at={refused.at} />
            </span>
          )}
        </Fact>
      </dl>
      <pre class="wrap">{exampleOf('https://…/in/…')}</pre>
      <form method="post" action={`/streams/${id}/push-url`}>
        <button type="submit">{hasUrl ? 'Replace URL' : 'Create URL'}</button>
      </form>
    </section>
  )
}

import { period } from '../../src/core/change/words.ts'
import type { CacheReport, Validators } from '../../src/streams/measures/caching.ts'
import { Fact } from '../layout/fact.tsx'
import { Ago, percent } from '../layout/format.tsx'

const VALIDATORS: Record<Validators, string> = {
  honored: 'answered with 304',
  ignored: 'sent, but never answered with 304',
  none: 'none sent',
  unknown: 'sent; nothing was unchanged yet',
}

/** What caches do with a stream's polls, over the last 24 hours, and what its changes would allow. */
export function CachingPanel(report: CacheReport) {
  const { polls, cacheHits, fresh, freshChanged, headers, validators, suggestedMaxAgeS } = report
  return (
    <section id="caching" class="panel" aria-labelledby="caching-heading">
      <h2 id="caching-heading">Caching</h2>
      <dl class="facts">
        <Fact name="Cacheable polls (24 h)">
          {share(fresh, polls)}
          <span class="below muted">made while the last answer was fresh</span>
        </Fact>
        <Fact name="Outdated if cached">
          {share(freshChanged, fresh)}
          <span class="below muted">of the cacheable polls</span>
        </Fact>
        <Fact name="From a shared cache">{share(cacheHits, polls)}</Fact>
        <Fact name="Fresh for">
          {lifetimeText(headers)}
          {headers && (
            <span class="below muted">
              as of <Ago at={headers.at} />
            </span>
          )}
        </Fact>
        <Fact name="Cache-Control">
          {headers !== null && headers.directives.length > 0 ? (
            <code>{headers.directives.join(', ')}</code>
          ) : (
            '–'
          )}
        </Fact>
        <Fact name="Validators">{VALIDATORS[validators]}</Fact>
        <Fact name="Suggested max-age">
          {suggestedText(suggestedMaxAgeS)}
          {suggestedMaxAgeS ? <span class="below muted">outdated in at most 10% of uses</span> : undefined}
        </Fact>
      </dl>
    </section>
  )
}

function share(count: number, of: number): string {
  return percent(of === 0 ? null : count / of)
}

function suggestedText(seconds: number | null): string {
  if (seconds === null) return '–'
  return seconds === 0 ? 'none: it changes too often' : `${seconds.toLocaleString('en')} s`
}

function lifetimeText(headers: CacheReport['headers']): string {
  if (headers?.lifetimeMs === undefined) return 'not stated'
  const own = headers.lifetimeMs === 0 ? 'not cacheable' : period(headers.lifetimeMs)
  if (headers.sharedLifetimeMs === undefined) return own
  return `${own}; in shared caches ${headers.sharedLifetimeMs === 0 ? 'never' : period(headers.sharedLifetimeMs)}`
}

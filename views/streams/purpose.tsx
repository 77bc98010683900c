import type { Purpose } from '../../src/streams/twins/purpose.ts'

/** In a word or two, for the list. */
export function purposeLabel({ is, of }: Purpose): string {
  if (is === 'proxied') return 'proxied'
  return is === 'twin'
    ? `twin of ${of?.name ?? 'a stream'}`
    : `proxy feed of ${of?.name ?? 'a stream'}’s twin`
}

/** In a sentence, for the stream's page. */
export function PurposeText({ is, of }: Purpose) {
  const name = of && <a href={`/streams/${of.id}`}>{of.name}</a>
  if (is === 'proxied') return <>The proxy polls it for its subscribers, and stops when there are none.</>
  if (is === 'twin')
    return <>Twin of {name}: the same API, streamed by Weir's proxy, to measure what streaming saves.</>
  return (
    <>
      What the proxy polls for the <a href="/twins">twin</a> of {name}. It stops with the twin. In totals of
      savings, the API counts once.
    </>
  )
}

import type { Hop } from '../../src/core/judging/status.ts'

/** Redirects in their order, each with its status. */
export function Redirects({ hops }: { hops: readonly Hop[] }) {
  return (
    <>
      {hops.map(({ status, to }) => (
        <span class="hop mono wrap">{`${status} → ${to}`}</span>
      ))}
    </>
  )
}

/** How the figures come about, and what they don't say. */
export function Method({ isPolled }: { isPolled: boolean }) {
  return (
    <section>
      <h2>Method and caveats</h2>
      <ul>
        <li>
          Weir requested the API from one place and stored every response. What others see, from elsewhere or
          with other credentials, may differ. Whole minutes count; older periods count by the hour.
        </li>
        {isPolled ? (
          <li>
            <b>Availability.</b> Every polling interval is one check, decided by its first request. Retries
            don't count again. Time in which Weir was off, the stream was stopped, or notifications were
            silenced counts neither way.
          </li>
        ) : (
          <li>
            <b>Availability.</b> The share of the observed time in which the API was connected and not silent
            for too long. Time in which Weir was off, the stream was stopped, or notifications were silenced
            counts neither way.
          </li>
        )}
        <li>
          <b>Change.</b> Polls show whether something changed, not how often. The frequency is the maximum
          likelihood estimate for random changes (Cho and Garcia-Molina, 2003), with its 95% interval. Bursts
          between two polls count as one change, and changes at regular times are overestimated. If nearly
          every poll finds a change, only a lower bound is known.
        </li>
        <li>
          <b>StreamRank.</b> How Streamdata.io weighted the shares isn't known. Weir doesn't mix them: its
          rank is the frequency of change on a logarithmic scale, here over this report's period.
        </li>
        {isPolled && (
          <li>
            <b>Savings.</b> Both sides are calculated from the same polls: what a client would have received
            by polling as Weir did, and what one permanently connected subscriber would have received, with
            heartbeats, headers and framing, over HTTP/1.1. The network is an estimate: TCP and TLS packets
            are counted as if nothing was sent twice.
          </li>
        )}
        <li>What could be a key in the URL is hidden as •••. A dash means that a figure isn't known.</li>
      </ul>
    </section>
  )
}

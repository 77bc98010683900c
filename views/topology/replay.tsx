/** The last 24 hours to go back to; hidden without script. */
export function Replay() {
  return (
    <section class="replay" id="replay" aria-label="Replay" hidden>
      <div class="scrubber">
        <svg
          class="replay-chart"
          id="replay-chart"
          viewBox="0 0 288 32"
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          <path class="all" />
          <path class="failed" />
        </svg>
        <input type="range" id="replay-at" step="1" aria-label="Moment of the last 24 hours" />
      </div>
      <div class="replay-bar">
        <button type="button" id="replay-play" aria-pressed="false">
          ▶ Play
        </button>
        <label class="inline">
          <span class="hidden">Minutes per second</span>
          <select id="replay-speed">
            {[1, 5, 15, 30, 60].map((speed) => (
              <option value={String(speed)} selected={speed === 15}>
                {speed}× ({speed} min/s)
              </option>
            ))}
          </select>
        </label>
        <output id="replay-time" for="replay-at">
          Now
        </output>
        <button type="button" id="replay-live" disabled>
          Live
        </button>
        <button type="button" id="replay-copy">
          Copy link
        </button>
        <input id="replay-link" class="replay-link" readonly aria-label="Link to this moment" hidden />
        <span class="muted" id="replay-summary" />
      </div>
      <p class="replay-note" id="replay-note" role="status" hidden />
    </section>
  )
}

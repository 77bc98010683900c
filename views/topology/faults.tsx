import { Curl } from '../layout/curl.tsx'

/** What a service of the laboratory can be told to do wrong; names are paths in the JSON that it takes. */
export function FaultForm() {
  return (
    <section id="faults-section" hidden>
      <h3>
        Faults <span class="faults-badge" id="faults-badge" hidden />
      </h3>
      <ul class="faults-active" id="faults-active" aria-label="Active faults" />
      <form id="faults" novalidate hidden>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset brings its own border, margins and least width */}
        <div class="faults-presets" id="faults-presets" role="group" aria-label="Ready faults" />
        <p class="muted">A ready fault replaces what is active. Off is whatever is left empty.</p>
        <details>
          <summary>Answers</summary>
          <div class="faults-fields">
            <Amount name="latencyMs.p50" label="Latency p50, ms" />
            <Amount name="latencyMs.p90" label="p90, ms" />
            <Amount name="latencyMs.p99" label="p99, ms" />
            <Amount name="errorRate" label="Errors, %" />
            <label class="wide">
              Error codes with weights
              <input name="errorCodes" autocomplete="off" placeholder="500:3, 503:1" />
            </label>
            <Amount name="rateLimit.perSecond" label="Limit, per second" />
            <Amount name="rateLimit.burst" label="Burst" />
            <Amount name="rateLimit.retryAfterSeconds" label="Retry-After, s" />
            <Amount name="payloadBytes" label="Payload, bytes" />
            <Switch name="reset" label="Close connections without an answer" />
          </div>
        </details>
        <details>
          <summary>Event stream</summary>
          <div class="faults-fields">
            <Switch name="sse.stall" label="Stall: stay open, send nothing more" />
            <Switch name="sse.halfOpen" label="Half-open: never send the headers" />
            <Switch name="sse.json" label="Answer with JSON instead" />
            <Amount name="sse.duplicate" label="Duplicated frames, %" />
            <Amount name="sse.reorder" label="Reordered, %" />
            <Amount name="sse.drop" label="Dropped, %" />
            <Amount name="sse.truncate" label="Cut, %" />
            <Amount name="sse.bufferMs" label="Hold back for, ms" />
            <Amount name="sse.slowDripBytesPerSecond" label="Drip, bytes/s" />
            <Amount name="sse.status" label="Answer with status" />
            <Amount name="sse.retryAfterSeconds" label="Retry-After, s" />
          </div>
        </details>
        <div class="detail-actions">
          <button class="primary" type="submit">
            Apply
          </button>
          <Curl id="faults-apply-curl" method="PUT" path="" body={{}} does="inject these faults" />
          <button type="button" id="faults-off">
            All faults off
          </button>
          <Curl id="faults-off-curl" method="DELETE" path="" does="lift every fault" />
        </div>
      </form>
      <p class="faults-note" id="faults-note" role="status" />
    </section>
  )
}

function Amount({ name, label }: { name: string; label: string }) {
  return (
    <label>
      {label}
      <input name={name} inputmode="decimal" autocomplete="off" />
    </label>
  )
}

function Switch({ name, label }: { name: string; label: string }) {
  return (
    <label class="inline wide">
      <input type="checkbox" name={name} /> {label}
    </label>
  )
}

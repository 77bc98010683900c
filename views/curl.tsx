interface CurlProps {
  /** Of the API, on this Weir. */
  path: string
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /**
   * Sent as JSON. A value `{name}` stands for the form's field of that name, `{json:name}` for what is written in it as
   * JSON, `{number:name}` for its number; a field that is empty is left out.
   */
  body?: Readonly<Record<string, unknown>>
  /** What it does, as a person says it: part of the button's name. */
  does: string
}

/** A button that copies what an action does, as a command for a terminal. The token is a variable of the shell. */
export function Curl({ path, method = 'POST', body, does }: CurlProps) {
  const sent = body === undefined ? '' : " -H 'Content-Type: application/json'"
  return (
    <button
      type="button"
      class="curl needs-script"
      title="Copy as a command for a terminal"
      aria-label={`curl: ${does}`}
      data-curl={`curl -X ${method} "{origin}${path}" -H "Authorization: Bearer $WEIR_TOKEN"${sent}`}
      data-curl-body={body === undefined ? undefined : JSON.stringify(body)}
    >
      curl
    </button>
  )
}

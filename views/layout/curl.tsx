interface CurlProps {
  /** Of the API, on this Weir. A part `{&name=field}` is that parameter for each line in the form's field. */
  path: string
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /**
   * Sent as JSON. A value `{name}` stands for the text in the form's field of that name, `{number:name}` for its number,
   * `{seconds:name}`, `{days:name}` and `{megabytes:name}` for milliseconds and bytes, `{later:name}` for the time in so
   * many minutes, `{json:name}` for JSON, `{list:name}` for what stands between commas, `{lines:name}` for lines,
   * `{headers:name}` for lines such as `Name: value`, `{query:name}` for the parameters of a query, `{all:name}` for the
   * values of all fields of that name, `{ticked:one,other}` for the names of boxes that are ticked or else all,
   * `{flag:name}` for true where one is, `{switch:name}` for true or false. What is empty is left out, but for
   * `{listed:name}`; so is `{type:name?other}` where `other` is empty, and `{type:name?!other}` where it isn't.
   */
  body?: Readonly<Record<string, unknown>>
  /** Sends only what differs from the page as it came; says what a part of the body is whose field was emptied. */
  emptied?: Readonly<Record<string, unknown>>
  /** Sends a file in place of a body: the fields for the file, and for text where there is none. */
  file?: readonly [file: string, text: string]
  /** What it does, as a person says it: part of the button's name. */
  does: string
  /** What stands on it. Default: `curl`. */
  label?: string
  id?: string
}

/** A button that copies what an action does, as a command for a terminal. The token is a variable of the shell. */
export function Curl({ path, method = 'POST', body, emptied, file, does, label = 'curl', id }: CurlProps) {
  const sent = body === undefined ? '' : " -H 'Content-Type: application/json'"
  const json = (value: object | undefined) => (value === undefined ? undefined : JSON.stringify(value))
  return (
    <button
      type="button"
      id={id}
      class="curl needs-script"
      title="Copy as a command for a terminal"
      aria-label={`curl: ${does}`}
      data-curl={`curl -X ${method} "{origin}${path}" -H "Authorization: Bearer $WEIR_TOKEN"${sent}`}
      data-curl-body={json(body)}
      data-curl-emptied={json(emptied)}
      data-curl-file={file?.join(' ')}
    >
      {label}
    </button>
  )
}

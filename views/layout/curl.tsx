interface CurlProps {
  /** Path of the API. `{&name=field}` stands for that parameter, once for each line of the form's field. */
  path: string
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /**
   * Sent as JSON. A value `{name}` stands for the text in the form's field of that name, `{number:name}` for its number,
   * `{seconds:name}`, `{days:name}` and `{megabytes:name}` for milliseconds and bytes, `{later:name}` for the time that many
   * minutes from now, `{json:name}` for JSON, `{list:name}` for values between commas, `{lines:name}` for lines,
   * `{headers:name}` for lines such as `Name: value`, `{query:name}` for query parameters, `{all:name}` for the values of
   * all fields of that name, `{ticked:one,other}` for the names of the ticked boxes, or of all if none is ticked,
   * `{flag:name}` for true if the box is ticked, `{switch:name}` for true or false. Empty values are left out, except for
   * `{listed:name}`; so is `{type:name?other}` if `other` is empty, and `{type:name?!other}` if it isn't.
   */
  body?: Readonly<Record<string, unknown>>
  /** Sends only what was changed on the page; maps each part of the body to its value when its field was cleared. */
  emptied?: Readonly<Record<string, unknown>>
  /** Sends a file instead of a body: the file field, and the text field used when no file is chosen. */
  file?: readonly [file: string, text: string]
  /** What the command does: part of the button's accessible name. */
  does: string
  /** Text of the button. Default: `curl`. */
  label?: string
  id?: string
}

/** A button that copies an action as a curl command. The token comes from a shell variable. */
export function Curl({ path, method = 'POST', body, emptied, file, does, label = 'curl', id }: CurlProps) {
  const sent = body === undefined ? '' : " -H 'Content-Type: application/json'"
  const json = (value: object | undefined) => (value === undefined ? undefined : JSON.stringify(value))
  return (
    <button
      type="button"
      id={id}
      class="curl needs-script"
      title="Copy as curl command"
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

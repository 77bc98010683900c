import type { OperationView } from './operation.tsx'
import type { ParameterView } from './schema.tsx'

/** Sends the operation from the page, and shows what really comes back. The page's script does it. */
export function TryIt({ id, method, path, parameters, body, types }: OperationView) {
  const isDangerous = method === 'DELETE'
  return (
    <form class="try needs-script" data-method={method} data-path={path} autocomplete="off">
      <h4>Try it</h4>
      {parameters.length > 0 && (
        <div class="inputs">
          {parameters.map((parameter) => (
            <Input {...parameter} />
          ))}
        </div>
      )}
      {types.length > 1 && (
        <label>
          Accept
          <select name="accept">
            {types.map((type) => (
              <option>{type}</option>
            ))}
          </select>
        </label>
      )}
      {body !== undefined && (
        <>
          {body.types.length > 1 && (
            <label>
              Content-Type
              <select name="type">
                {body.types.map((type) => (
                  <option>{type}</option>
                ))}
              </select>
            </label>
          )}
          <label>
            Body
            <textarea class="mono" name="body" rows={rowsOf(body.example)} spellcheck={false}>
              {body.example}
            </textarea>
          </label>
        </>
      )}
      <p class="buttons">
        <button type="submit" class={isDangerous ? 'danger' : 'primary'} aria-describedby={`try-${id}`}>
          Send {method}
        </button>
        <button type="button" data-stop hidden>
          Stop
        </button>
        <span class="muted" id={`try-${id}`}>
          {method === 'GET' ? 'Reads only.' : 'It is really done, on this Weir.'}
        </span>
      </p>
      <section class="came" aria-label={`What ${method} ${path} answered`} hidden />
    </form>
  )
}

function Input({ name, place, isRequired, description, choices, bounds }: ParameterView) {
  const given = { name: `${place}:${name}`, required: isRequired }
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: its control is one of those below
    <label>
      {name}
      {choices.length > 0 ? (
        <select {...given}>
          {!isRequired && <option value="" />}
          {choices.map((choice) => (
            <option>{choice}</option>
          ))}
        </select>
      ) : (
        <input type="text" {...given} placeholder={bounds || undefined} title={description || undefined} />
      )}
    </label>
  )
}

/** As many lines as there are, within reason. */
function rowsOf(text: string): number {
  return Math.min(Math.max(text.split('\n').length, 3), 16)
}

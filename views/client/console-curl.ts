// Copies what an action does as a command for a terminal. The server made the command; this fills in what is typed.

/** How long a button says that it has copied, in milliseconds. */
const SAID_MS = 2_000

export function listenForCopies(tell: (text: string) => void): void {
  document.addEventListener('click', (event) => {
    const button = (event.target as Element | null)?.closest<HTMLButtonElement>('button[data-curl]')
    if (button) void copy(button, tell)
  })
}

async function copy(button: HTMLButtonElement, tell: (text: string) => void): Promise<void> {
  const command = commandOf(button)
  try {
    await navigator.clipboard.writeText(command)
  } catch {
    // Without a secure context there is no clipboard: then it is shown, to be copied by hand.
    tell(command)
    return
  }
  button.textContent = 'Copied'
  setTimeout(() => {
    button.textContent = 'curl'
  }, SAID_MS)
}

/** The server's command with where the page came from and, where it sends something, what the form's fields hold. */
function commandOf({ dataset, form }: HTMLButtonElement): string {
  const command = (dataset.curl ?? '').replace('{origin}', location.origin)
  if (dataset.curlBody === undefined) return command
  const fields = form === null ? new FormData() : new FormData(form)
  const template = JSON.parse(dataset.curlBody) as Record<string, unknown>
  const filled = Object.entries(template).map(([key, value]) => [key, filledIn(value, fields)])
  const body = JSON.stringify(Object.fromEntries(filled.filter(([, value]) => value !== undefined)))
  return `${command} -d '${body.replaceAll("'", "'\\''")}'`
}

/** What stands for a field becomes what is in it; undefined where that is nothing. */
function filledIn(value: unknown, fields: FormData): unknown {
  const [, type, name] = /^\{(?:(json|number):)?([a-zA-Z]+)\}$/.exec(String(value)) ?? []
  if (name === undefined) return value
  const text = String(fields.get(name) ?? '')
  if (text === '') return undefined
  if (type === 'number') return Number(text)
  return type === 'json' ? parsed(text) : text
}

/** What isn't JSON is sent as it is: the API says what is wrong with it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

// Runs on the page of settings: what is chosen is seen and kept at once.

const form = document.querySelector<HTMLFormElement>('#preferences-form')
if (form !== null) keepChoices(form)

function keepChoices(form: HTMLFormElement): void {
  const saved = document.getElementById('preferences-saved')
  const button = form.querySelector('button')
  // It stays where script doesn't run.
  if (button !== null) button.hidden = true

  form.addEventListener('change', () => void save())

  async function save(): Promise<void> {
    const chosen = new FormData(form)
    show('theme', String(chosen.get('theme')), 'system')
    show('zone', String(chosen.get('zone')), 'reader')
    const body = new URLSearchParams([...chosen].map(([name, value]) => [name, String(value)]))
    const isKept = await keep(form.action, body)
    if (saved !== null)
      saved.textContent = isKept ? 'Saved.' : 'Not saved: Weir did not answer. Choose again.'
  }
}

function show(name: 'theme' | 'zone', value: string, unset: string): void {
  if (value === unset) delete document.documentElement.dataset[name]
  else document.documentElement.dataset[name] = value
}

async function keep(action: string, body: URLSearchParams): Promise<boolean> {
  try {
    return (await fetch(action, { method: 'POST', body, headers: { 'HX-Request': 'true' } })).ok
  } catch {
    return false
  }
}

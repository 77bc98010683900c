// The reference of the API: finds operations, opens the one that the address names, and sends them.
import { colour } from './answer.ts'
import { Trial } from './try.ts'

const search = document.querySelector<HTMLInputElement>('#find-operation')
const found = document.querySelector<HTMLElement>('#found-operations')
const operations = [...document.querySelectorAll<HTMLDetailsElement>('details.operation')]

/** Shows only operations that hold every word, in the index too. */
function find(text: string): void {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = new Set<string>()
  for (const operation of operations) {
    operation.hidden = !words.every((word) => operation.dataset.words?.includes(word))
    if (!operation.hidden) shown.add(operation.querySelector('.what')?.id ?? '')
  }
  for (const item of document.querySelectorAll<HTMLElement>('[data-operation]'))
    item.hidden = !shown.has(item.dataset.operation ?? '')
  for (const group of document.querySelectorAll<HTMLElement>('[data-group]')) {
    group.hidden = group.querySelector('[data-operation]:not([hidden]), .operation:not([hidden])') === null
  }
  if (found !== null) found.textContent = words.length === 0 ? '' : `${shown.size} of ${operations.length}`
}

/** Opens what the address names: a browser does it by itself only where it was followed as a link. */
function openNamed(): void {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  const details = named?.closest('details')
  if (details === null || details === undefined || named === null) return
  details.hidden = false
  details.open = true
  details.scrollIntoView()
}

search?.addEventListener('input', () => find(search.value))
search?.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter') return
  const first = operations.find((operation) => !operation.hidden)
  if (first === undefined) return
  first.open = true
  first.querySelector<HTMLElement>('summary')?.focus()
  first.scrollIntoView()
})
addEventListener('hashchange', openNamed)
// An example gets its colours once somebody looks at it.
for (const example of document.querySelectorAll<HTMLElement>('details.example > pre.json')) {
  const fill = () => colour(example, example.textContent ?? '')
  example.parentElement?.addEventListener('toggle', fill, { once: true })
}
// What is open is what a copied address should name.
for (const operation of operations) {
  operation.querySelector('summary')?.addEventListener('click', () => {
    const id = operation.querySelector('.what')?.id
    if (!operation.open && id !== undefined) history.replaceState(null, '', `#${id}`)
  })
}
for (const form of document.querySelectorAll<HTMLFormElement>('form.try')) new Trial(form)
openNamed()

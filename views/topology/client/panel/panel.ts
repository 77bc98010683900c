// The panel beside the picture: what is known of the service or call that was chosen.
import { keyed, make, part, say } from '../dom.ts'
import { byId } from '../graph.ts'
import { Streams } from '../streams.ts'
import type { View, ViewCall, ViewService } from '../view.ts'
import { kindWords, verdictWords } from '../words.ts'
import { Faults } from './faults.ts'
import { latencyWords, recentWords } from './words.ts'

export interface PanelOn {
  select(id: string): void
  selectCall(from: string, to: string): void
  close(): void
  focus(id: string): void
  /** Opens a group, or collapses the one that a service is of. */
  toggleGroup(key: string): void
}

/** What the panel is to show. */
export interface Chosen {
  view: View
  service?: ViewService
  call?: ViewCall
  /** The group that a service is drawn alone of, though it could be collapsed into it. */
  openGroup?: string
  nameOf(id: string): string
  /** The moment that is replayed; undefined for now. */
  at?: number
}

/** Lives as long as the page does. */
export class Panel {
  readonly #panel = byId('panel')
  readonly #detail = byId('detail')
  readonly #title = byId('detail-title')
  readonly #faults = new Faults()
  readonly #streams = new Streams()
  readonly #on: PanelOn
  #chosen: Chosen | undefined
  #key: string | undefined
  /** What had the focus when the panel opened. */
  #opener: Element | null = null
  /** Whoever opened the page at a service hasn't chosen it just now. */
  #isFirst = true

  constructor(on: PanelOn) {
    this.#on = on
    byId('detail-close').addEventListener('click', () => on.close())
    byId('detail-focus').addEventListener(
      'click',
      () => this.#chosen?.service && on.focus(this.#chosen.service.id),
    )
    byId('detail-group').addEventListener('click', ({ currentTarget }) =>
      on.toggleGroup((currentTarget as HTMLElement).dataset.group ?? ''),
    )
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || this.#key === undefined || event.defaultPrevented) return
      on.close()
    })
  }

  show(chosen: Chosen): void {
    const { service, call } = chosen
    this.#chosen = chosen
    const key = service?.id ?? (call && `${call.from}\n→\n${call.to}`)
    const isOther = key !== this.#key
    if (isOther && this.#key === undefined) this.#opener = document.activeElement
    this.#key = key
    if (key === undefined) delete this.#panel.dataset.chosen
    else
      this.#panel.dataset.chosen =
        service !== undefined && service.members === undefined ? 'service' : 'other'
    this.#detail.hidden = key === undefined
    if (service !== undefined) this.#showService(service, chosen)
    else if (call !== undefined) this.#showCall(call, chosen)
    this.#streams.show(service?.members === undefined ? service : undefined, chosen.at)
    this.#faults.show(chosen.at === undefined && service?.members === undefined ? service : undefined)
    if (isOther && !this.#isFirst) this.#moveFocus()
    if (chosen.view.services.length > 0) this.#isFirst = false
  }

  #showService(service: ViewService, { view, nameOf, openGroup, at }: Chosen): void {
    const { id, name, kind, group, colour, verdict, reason, url, href, members, groupKey } = service
    say(this.#title, name)
    this.#facts([
      ['Kind', members === undefined ? kindWords(kind) : `Group of ${members.length}`],
      ['Id', id === name || members !== undefined ? undefined : id],
      ['Group', group],
      // Of the past no colours are known.
      ['State', members === undefined && at === undefined ? colour : undefined, colour],
      ['Verdict', verdict && `${verdictWords(verdict)}${reason === undefined ? '' : `: ${reason}`}`],
      ['URL', url],
    ])
    const link = byId<HTMLAnchorElement>('detail-link')
    link.hidden = href === undefined || !href.startsWith('/') || href.startsWith('//')
    link.href = link.hidden ? '' : (href ?? '')
    byId('detail-focus').hidden = false
    const toggle = byId('detail-group')
    toggle.hidden = groupKey === undefined && openGroup === undefined
    toggle.dataset.group = groupKey ?? openGroup ?? ''
    say(toggle, groupKey === undefined ? `Collapse ${openGroup}` : 'Open the group')
    this.#calls(
      'callers',
      view.calls.filter(({ to }) => to === id),
      ({ from }) => from,
      nameOf,
    )
    this.#calls(
      'callees',
      view.calls.filter(({ from }) => from === id),
      ({ to }) => to,
      nameOf,
    )
    this.#members(members, nameOf)
  }

  #showCall(call: ViewCall, { nameOf }: Chosen): void {
    const { from, to, count, errors, lastStatus, lastDurationMs, calledAt, recent, parts } = call
    say(this.#title, `${nameOf(from)} → ${nameOf(to)}`)
    const last = calledAt === undefined ? undefined : new Date(calledAt).toLocaleTimeString()
    const took = lastDurationMs === undefined ? '' : ` in ${Math.round(lastDurationMs)} ms`
    this.#facts([
      ['Of late', recentWords(recent)],
      ['Latency', latencyWords(call)],
      ['Calls', `${count}, ${errors} failed`],
      ['Last call', lastStatus === undefined ? 'none yet' : `${lastStatus}${took}${last ? `, ${last}` : ''}`],
      [
        'Sums up',
        parts &&
          `${parts.length} calls: rates add up; a common latency can't be told, so each range is shown`,
      ],
    ])
    for (const id of ['detail-link', 'detail-focus', 'detail-group']) byId(id).hidden = true
    this.#calls('callers', [call], ({ from: caller }) => caller, nameOf)
    this.#calls('callees', [call], ({ to: callee }) => callee, nameOf)
    this.#members(undefined, nameOf)
  }

  #facts(facts: readonly (readonly [name: string, text: string | undefined, swatch?: string])[]): void {
    keyed(
      byId('detail-facts'),
      facts.filter(([, text]) => text !== undefined),
      {
        key: ([name]) => name,
        create: ([name]) => make('div', {}, make('dt', { textContent: name }), make('dd')),
        update: (row, [name, text = '', swatch]) => {
          const value = row.lastElementChild
          if (value === null || (value.textContent === text && swatch === undefined)) return
          if (name === 'URL')
            value.replaceChildren(make('a', { href: text, textContent: text, rel: 'noreferrer' }))
          else if (swatch === undefined) value.textContent = text
          else value.replaceChildren(swatchOf(swatch), text)
        },
      },
    )
  }

  #calls(
    list: 'callers' | 'callees',
    calls: readonly ViewCall[],
    other: (call: ViewCall) => string,
    nameOf: (id: string) => string,
  ): void {
    byId(`${list}-section`).hidden = calls.length === 0
    keyed(byId(list), byRate(calls), {
      key: other,
      create: (call) => this.#callRow(call, other(call)),
      update: (row, call) => {
        say(part(row, 'name'), nameOf(other(call)))
        const numbers = part(row, 'numbers')
        numbers.hidden = calls.length === 1 && this.#chosen?.service === undefined
        say(numbers, `${recentWords(call.recent)} · ${latencyWords(call)}`)
        numbers.classList.toggle('error', (call.recent?.errorShare ?? 0) > 0)
      },
    })
  }

  #callRow({ from, to }: ViewCall, other: string): HTMLElement {
    const name = make('button', { type: 'button', className: 'link' })
    name.dataset.part = 'name'
    name.addEventListener('click', () => this.#on.select(other))
    const numbers = make('button', { type: 'button', className: 'link numbers', title: 'Show this call' })
    numbers.dataset.part = 'numbers'
    numbers.addEventListener('click', () => this.#on.selectCall(from, to))
    return make('li', {}, name, numbers)
  }

  #members(members: readonly string[] | undefined, nameOf: (id: string) => string): void {
    byId('members-section').hidden = members === undefined
    keyed(byId('members'), members ?? [], {
      key: (id) => id,
      create: (id) => {
        const name = make('button', { type: 'button', className: 'link' })
        name.addEventListener('click', () => this.#on.select(id))
        return make('li', {}, name)
      },
      update: (row, id) => row.firstElementChild && say(row.firstElementChild, nameOf(id)),
    })
  }

  /** Into the panel when it opens, back to where it was when it closes; never away from somebody who types. */
  #moveFocus(): void {
    if (this.#key !== undefined) {
      this.#panel.scrollTop = 0
      this.#title.focus({ preventScroll: true })
      // A sheet covers what is below: the picture goes above it.
      if (getComputedStyle(this.#panel).position === 'fixed')
        byId('picture').scrollIntoView({ block: 'start' })
      return
    }
    const opener = this.#opener
    this.#opener = null
    const { activeElement } = document
    if (activeElement !== document.body && !this.#panel.contains(activeElement)) return
    const isThere = opener instanceof HTMLElement && opener.isConnected && opener.offsetParent !== null
    const back = isThere && opener !== document.body ? opener : byId('picture')
    back.focus({ preventScroll: true })
  }
}

function swatchOf(colour: string): HTMLElement {
  const swatch = make('i', { className: 'swatch' })
  swatch.style.background = colour
  return swatch
}

/** Busiest first. */
function byRate(calls: readonly ViewCall[]): ViewCall[] {
  return [...calls].sort((a, b) => (b.recent?.rate ?? 0) - (a.recent?.rate ?? 0))
}

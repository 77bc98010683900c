// Says an exact time where no pointer hovers: on keyboard focus, and on tap. What it says is the element's title.

/** Distance from the time, and least from the window's edge, in CSS pixels. */
const GAP_PX = 6

export function showExactTimes(): void {
  const bubble = document.createElement('div')
  bubble.className = 'exact-time'
  bubble.role = 'tooltip'
  bubble.id = 'exact-time'
  bubble.hidden = true
  document.body.append(bubble)
  const shown: { of?: HTMLElement } = {}

  const hide = () => {
    shown.of?.removeAttribute('aria-describedby')
    shown.of = undefined
    bubble.hidden = true
  }
  const show = (time: HTMLElement) => {
    hide()
    shown.of = time
    time.setAttribute('aria-describedby', bubble.id)
    bubble.textContent = time.title
    bubble.hidden = false
    const { left, top, bottom } = time.getBoundingClientRect()
    const { offsetWidth, offsetHeight } = bubble
    const isBelow = top < offsetHeight + 2 * GAP_PX
    bubble.style.top = `${isBelow ? bottom + GAP_PX : top - offsetHeight - GAP_PX}px`
    bubble.style.left = `${Math.max(GAP_PX, Math.min(left, innerWidth - offsetWidth - GAP_PX))}px`
  }

  document.addEventListener('focusin', ({ target }) => {
    const time = timeAt(target)
    if (time?.matches(':focus-visible')) show(time)
    else hide()
  })
  document.addEventListener('focusout', hide)
  document.addEventListener('click', ({ target }) => {
    const time = timeAt(target)
    // Within a link or a button, a tap means that.
    const isFree = time !== undefined && time.closest('a, button, summary') === null
    if (isFree && time !== shown.of) show(time)
    else hide()
  })
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') hide()
  })
  document.addEventListener('scroll', hide, { capture: true, passive: true })
}

function timeAt(target: EventTarget | null): HTMLElement | undefined {
  return (target as Element | null)?.closest?.<HTMLElement>('time[title]') ?? undefined
}

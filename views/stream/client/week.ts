// Runs on the page of a stream: moves its week from UTC to the reader's zone.

import { timeZone, zoneName } from '../../layout/client/zone.ts'

const HOURS = 24
const WEEK_HOURS = 7 * HOURS
const CELL = 10

/** What a week in the reader's zone is ahead of one in UTC, in whole hours: half hours are rounded down. */
const ahead = timeZone() === 'UTC' ? 0 : Math.floor(-new Date().getTimezoneOffset() / 60)
const hourOf = new Intl.DateTimeFormat(undefined, { weekday: 'long', hour: '2-digit', minute: '2-digit' })
/** A Monday, 00:00 in the reader's zone. */
const MONDAY = new Date(2024, 0, 1)

for (const cell of document.querySelectorAll<SVGRectElement>('#week [data-hour]')) {
  const hour = (Number(cell.dataset.hour) + ahead + WEEK_HOURS) % WEEK_HOURS
  cell.setAttribute('x', String((hour % HOURS) * CELL))
  cell.setAttribute('y', String(Math.floor(hour / HOURS) * CELL))
  const title = cell.querySelector('title')
  if (title === null) continue
  const at = new Date(MONDAY.getFullYear(), MONDAY.getMonth(), MONDAY.getDate(), hour)
  title.textContent = `${hourOf.format(at)}${title.textContent?.slice(title.textContent.indexOf(' UTC:') + 4) ?? ''}`
}
const zone = document.getElementById('week-zone')
if (zone !== null) {
  zone.textContent = timeZone() === 'UTC' ? 'in UTC' : `in your zone, ${zoneName()}`
}

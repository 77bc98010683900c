import type { Bus, Subscription } from '../../bus/bus.ts'
import type { LivePages } from './live-pages.tsx'

/**
 * Decides which pages refresh on which event, whichever process it happened in. Nothing is done for pages that
 * nobody has open.
 */
export function refreshPages(bus: Bus, pages: LivePages): Subscription {
  const { views } = pages
  return bus.subscribe('The open pages', {
    'entries.stored': ({ entries, spans }) => {
      if (entries !== undefined) pages.addEntries(entries)
      // Pages that show the entries get them from `entries.read`.
      else pages.refreshStreams(spans.map(([streamId]) => streamId))
    },
    'entries.read': ({ entries }) => pages.addEntries(entries),
    'stream.updated': ({ streamIds }) => pages.refreshStreams(streamIds),
    'list.changed': () => {
      pages.refreshLists()
      // Removing a stream also removes its incidents and silences.
      views.refresh('incidents')
      views.refresh('silences')
    },
    'channel.updated': () => views.refresh('channels'),
    'incident.updated': () => views.refresh('incidents'),
    'silence.updated': () => views.refresh('silences'),
    'relay.restored': () => pages.refreshAll(),
  })
}

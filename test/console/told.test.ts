import { expect, test } from 'bun:test'
import { refreshPages } from '../../src/routes/live/refresh.ts'
import type { Entry } from '../../src/streams/recording/entry.ts'
import { testBus } from '../support/bus.ts'

test('pages get entries once, whoever stored them, and reread everything after a lost line', () => {
  const told: unknown[] = []
  const note =
    (name: string) =>
    (...given: unknown[]) =>
      void told.push([name, ...given])
  const pages = {
    ...{ addEntries: note('entries'), refreshStreams: note('streams'), refreshLists: note('lists') },
    ...{ refreshAll: note('all'), views: { refresh: note('view') } },
  }
  const bus = testBus()
  refreshPages(bus, pages as never)
  const entries = [{ streamId: 'a', seq: 1 } as Entry]
  const hears = (...events: Parameters<typeof bus.publish>[0][]) => {
    for (const event of events) bus.publish(event)
    return told.splice(0)
  }
  expect(hears({ type: 'entries.stored', entries })).toEqual([['entries', entries]])
  expect(hears({ type: 'entries.stored', spans: [['a', 1, 2]] })).toEqual([['streams', ['a']]])
  expect(hears({ type: 'entries.read', entries })).toEqual([['entries', entries]])
  expect(hears({ type: 'relay.restored' })).toEqual([['all']])
  expect(hears({ type: 'channel.updated' })).toEqual([['view', 'channels']])
  const lists = [['lists'], ['view', 'incidents'], ['view', 'silences']]
  expect(hears({ type: 'list.changed' })).toEqual(lists)
})

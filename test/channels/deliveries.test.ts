import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { type Receiver, SECRET, SOON, startReceiver } from './receiver.ts'

interface Delivery {
  id: string
  type: string
  status: string
  attempts: {
    request: { url: string; body: string }
    response: { status: number } | null
    error: { code: string } | null
  }[]
}

describe.each(SETUPS)('on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let receiver: Receiver
    let weir: TestWeir
    let dataDir: string
    let streamUrl: string
    let count = 0

    const start = (times = SOON) =>
      startTestWeir({ DATA_DIR: dataDir, ...services.environment }, { deliveryTimes: times })

    /** A stream, and a webhook that is responsible for it alone. */
    async function pair(answer?: (hits: number) => Response | Promise<Response>) {
      const path = `/hook-${++count}`
      const url = receiver.take(path, answer)
      const response = await weir.send('POST', '/api/channels', {
        name: `Hook ${count}`,
        kind: 'webhook',
        config: { url, secret: SECRET },
      })
      expect(response.status).toBe(201)
      const channel = (await response.json()) as { id: string }
      const stream = await weir.register({ url: streamUrl, kind: 'poll', start: false, notify: [channel.id] })
      return { path, channel, stream }
    }

    async function notify(streamId: string, message = 'Look at this.') {
      const response = await weir.send('POST', `/api/streams/${streamId}/notify`, { message })
      expect(response.status).toBe(202)
      return (await response.json()) as { channels: { id: string; deliveryId: string }[] }
    }

    const deliveries = async (channelId: string, query = '') =>
      (await weir.json<{ items: Delivery[] }>(`/api/channels/${channelId}/deliveries${query}`)).items

    const ended = (channelId: string, status: string) =>
      until(`a delivery is ${status}`, async () =>
        (await deliveries(channelId)).find((each) => each.status === status),
      )

    beforeAll(async () => {
      services = await setup.open()
      receiver = startReceiver()
      streamUrl = receiver.upstream.on('/api', () => Response.json({}))
      dataDir = mkdtempSync(join(tmpdir(), 'weir-channels-'))
      weir = await start()
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await receiver.upstream.stop()
      await services.close()
      rmSync(dataDir, { recursive: true, force: true })
    })

    test('a message is sent with a signature that Standard Webhooks verifies', async () => {
      const { path, channel, stream } = await pair()
      const { channels } = await notify(stream.id)
      const delivery = await ended(channel.id, 'delivered')
      expect(channels).toMatchObject([{ id: channel.id, deliveryId: delivery.id }])
      const [received] = receiver.received(path)
      if (received === undefined) throw new Error('Nothing came')
      expect(received.headers['webhook-id']).toBe(delivery.id)
      expect(new Webhook(SECRET).verify(received.body, received.headers)).toMatchObject({
        type: 'notify',
        data: {
          text: 'Look at this.',
          streams: [{ id: stream.id }],
          url: `${weir.url.replace('127.0.0.1', 'localhost')}/streams/${stream.id}`,
        },
      })
      expect(receiver.received(path)).toHaveLength(1)
    })

    test('a failing receiver gets retries with the same ID until it accepts the message', async () => {
      const { path, channel, stream } = await pair(
        (hits) => new Response('not now', { status: hits < 4 ? 500 : 200 }),
      )
      await notify(stream.id)
      const delivery = await ended(channel.id, 'delivered')
      expect(delivery.attempts.map(({ response }) => response?.status)).toEqual([500, 500, 500, 200])
      expect(delivery.attempts.map(({ error }) => error?.code)).toEqual([
        'bad_status',
        'bad_status',
        'bad_status',
        undefined,
      ])
      expect(new Set(receiver.received(path).map(({ headers }) => headers['webhook-id']))).toEqual(
        new Set([delivery.id]),
      )
    })

    test('a delivery that keeps failing ends after its last attempt, and can be replayed', async () => {
      let isBroken = true
      const { path, channel, stream } = await pair(() => new Response(null, { status: isBroken ? 503 : 204 }))
      await notify(stream.id)
      const failed = await ended(channel.id, 'failed')
      expect(failed.attempts).toHaveLength(SOON.retryDelaysMs.length + 1)
      expect(await deliveries(channel.id, '?status=delivered')).toEqual([])
      isBroken = false
      expect((await weir.send('POST', `/api/deliveries/${failed.id}/replay`)).status).toBe(202)
      const replayed = await ended(channel.id, 'delivered')
      expect(replayed.id).toBe(failed.id)
      expect(receiver.received(path).at(-1)?.headers['webhook-id']).toBe(failed.id)
    })

    test('a refused delivery is not retried', async () => {
      const { channel, stream } = await pair(() => new Response(null, { status: 403 }))
      await notify(stream.id)
      expect((await ended(channel.id, 'failed')).attempts).toHaveLength(1)
    })

    test('410 Gone suspends the channel, cancels pending deliveries, and says what to do', async () => {
      let status = 500
      const { channel, stream } = await pair(() => new Response(null, { status }))
      await weir.close()
      // Retries far away: what waits still waits when the channel goes.
      weir = await start({ retryDelaysMs: Array.from({ length: 11 }, () => 1e9), attemptMs: 5_000 })
      await notify(stream.id, 'first')
      await until(
        'the first has failed once',
        async () => (await deliveries(channel.id))[0]?.attempts.length === 1,
      )
      status = 410
      await notify(stream.id, 'second')
      const gone = await ended(channel.id, 'failed')
      const cancelled = await ended(channel.id, 'cancelled')
      expect(gone.attempts).toHaveLength(1)
      expect(await weir.json(`/api/channels/${channel.id}`)).toMatchObject({
        suspendedReason: expect.stringContaining('410'),
      })
      const refused = await weir.send('POST', `/api/streams/${stream.id}/notify`, { message: 'third' })
      expect(refused.status).toBe(409)
      expect(((await refused.json()) as { detail: string }).detail).toContain('suspended')
      expect((await weir.send('POST', `/api/deliveries/${cancelled.id}/replay`)).status).toBe(409)
      status = 200
      expect((await weir.send('POST', `/api/channels/${channel.id}/resume`)).status).toBe(200)
      expect((await weir.send('POST', `/api/deliveries/${cancelled.id}/replay`)).status).toBe(202)
      expect((await ended(channel.id, 'delivered')).id).toBe(cancelled.id)
      await weir.close()
      weir = await start()
    })

    test('a restart of Weir loses nothing, and sends nothing twice', async () => {
      let isBroken = true
      const broken = await pair(() => new Response(null, { status: isBroken ? 500 : 204 }))
      const healthy = await pair()
      await weir.close()
      weir = await start({
        retryDelaysMs: [2_000, ...Array.from({ length: 10 }, () => 200)],
        attemptMs: 5_000,
      })
      await notify(broken.stream.id)
      await notify(healthy.stream.id)
      await ended(healthy.channel.id, 'delivered')
      await until('it was tried', () => receiver.received(broken.path).length > 0)
      await weir.close()
      isBroken = false
      weir = await start()
      const delivery = await ended(broken.channel.id, 'delivered')
      expect(delivery.attempts.at(-1)?.error).toBeNull()
      expect(receiver.received(healthy.path)).toHaveLength(1)
    })
  })
})

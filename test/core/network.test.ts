import { describe, expect, test } from 'bun:test'
import { type SavingsSums, savings } from '../../src/core/measures.ts'
import { addNetworks, type Link, network, requestSize } from '../../src/core/network.ts'

const HTTP: Link = { isEncrypted: false, requestBytes: 200 }
/** An hour of polls a minute: 10,000 bytes a body, 2,000 with gzip, heads of 200; six find a change. */
const HOUR: SavingsSums = {
  ...{ polls: 60, failures: 0, compared: 60, changed: 6, wireBytes: 12_000, headBytes: 12_000 },
  ...{ plainBytes: 600_000, gzipBytes: 120_000, conditionalBytes: 12_000 },
  ...{ patchBytes: 1_800, frameBytes: 2_070, deflatedBytes: 1_200 },
  ...{ requests: 60, requestBytes: 15_000, failedHeadBytes: 0, redirectBytes: 0 },
  ...{ connectedMs: 3_600_000, connections: 1, snapshotBytes: 10_000, snapshotGzipBytes: 2_000 },
}
const of = (sums: SavingsSums, link = HTTP) => {
  const found = savings(sums)
  if (found === null) throw new Error('There were polls')
  return network(sums, found, link)
}

describe('bytes on the network', () => {
  test('match an hour worked out by hand', () => {
    const { polling, streaming } = of(HOUR)
    // Plain: a connection of 7 packets; 60 requests; responses of 10,200 are 8 packets, acknowledged by 4.
    expect(polling.plain).toEqual({
      ...{ payloadBytes: 612_000, requestBytes: 15_000, tlsBytes: 0, requests: 60, connections: 1 },
      ...{ packets: 7 + 60 + 60 * 12, packetBytes: (7 + 60 + 60 * 12) * 52 + 16 },
      bytes: 612_000 + 15_000 + (7 + 60 + 60 * 12) * 52 + 16,
    })
    // With validators: 6 responses of 2,200 are 2 packets and one acknowledgment, 54 of 200 are one and one.
    expect(polling.conditional).toMatchObject({ packets: 7 + 60 + 6 * 3 + 54 * 2, payloadBytes: 24_000 })
    // Streaming with gzip: a request; the head, and a snapshot in two packets; 6 frames and 240 heartbeats, each in one.
    expect(streaming.gzip).toMatchObject({
      packets: 7 + 1 + 2 + 3 + 6 * 2 + 240 * 2,
      connections: 1,
      requests: 1,
    })
    expect(streaming.gzip.requestBytes).toBe(250 + 15)
  })

  test('are larger on every side than the payload, by requests and packets', () => {
    const { polling, streaming } = of(HOUR)
    for (const side of [...Object.values(polling), ...Object.values(streaming)]) {
      const { bytes, payloadBytes, requestBytes, packetBytes, tlsBytes } = side
      expect(bytes).toBe(payloadBytes + requestBytes + packetBytes + tlsBytes)
      expect(bytes).toBeGreaterThan(payloadBytes)
    }
  })

  test('show that streaming loses where polls are rare, though it saves when they aren’t', () => {
    expect(of(HOUR).clientBandwidthSavings.plain).toBeGreaterThan(0.9)
    const rare = {
      ...HOUR,
      polls: 1,
      compared: 1,
      changed: 0,
      headBytes: 200,
      plainBytes: 500,
      gzipBytes: 300,
    }
    const lost = of({
      ...rare,
      conditionalBytes: 0,
      requests: 1,
      requestBytes: 250,
      frameBytes: 0,
      deflatedBytes: 0,
    })
    expect(lost.clientBandwidthSavings.conditional).toBeLessThan(-1)
  })

  test('include a connection per request where the connection isn’t kept that long', () => {
    expect(of(HOUR).polling.plain.connections).toBe(1)
    expect(of({ ...HOUR, connectedMs: 61_000 * 60 }).polling.plain.connections).toBe(60)
  })

  test('include handshakes and records of TLS on both sides', () => {
    const { polling, streaming } = of(HOUR, { ...HTTP, isEncrypted: true })
    expect(polling.conditional.tlsBytes).toBe(5_000 + 22 * (60 + 60))
    expect(streaming.gzip.tlsBytes).toBe(5_000 + 22 * (1 + 2 + 6 + 240))
    expect(polling.conditional.packets - of(HOUR).polling.conditional.packets).toBe(9)
  })

  test('count redirects, and leave out requests of failed polls', () => {
    // Each poll is redirected once, and a third of all polls failed.
    const sums = { ...HOUR, failures: 30, requests: 180, requestBytes: 36_000 }
    expect(of(sums).polling.plain).toMatchObject({ requests: 120, requestBytes: 24_000 })
  })

  test('estimate the request where it wasn’t counted', () => {
    const { polling } = of({ ...HOUR, requests: 0, requestBytes: 0 })
    expect(polling.plain).toMatchObject({ requests: 60, requestBytes: 60 * HTTP.requestBytes })
  })

  test('add up over streams', () => {
    const [one, other] = [of(HOUR), of({ ...HOUR, deflatedBytes: 60_000 })]
    const both = addNetworks([one, other])
    expect(both.polling.gzip.bytes).toBe(one.polling.gzip.bytes + other.polling.gzip.bytes)
    const streamed = one.streaming.gzip.bytes + other.streaming.gzip.bytes
    expect(both.clientBandwidthSavings.conditional).toBe(1 - streamed / both.polling.conditional.bytes)
  })
})

test('the day of the worked example takes the bytes that it names', () => {
  const day: SavingsSums = {
    ...HOUR,
    ...{ polls: 1_440, compared: 1_440, changed: 144, headBytes: 288_000, plainBytes: 14_400_000 },
    ...{ gzipBytes: 2_880_000, conditionalBytes: 288_000, frameBytes: 49_680, deflatedBytes: 28_800 },
    ...{ requests: 1_440, requestBytes: 360_000, connectedMs: 86_400_000 },
  }
  const { polling, streaming, clientBandwidthSavings } = of(day)
  expect(polling.conditional).toMatchObject({ payloadBytes: 576_000, packets: 4_471, bytes: 1_168_508 })
  expect(streaming.gzip).toMatchObject({
    payloadBytes: 175_987,
    requestBytes: 265,
    packets: 11_821,
    bytes: 790_960,
  })
  expect(clientBandwidthSavings.conditional).toBeCloseTo(0.323, 3)
})

test('the size of a request is that of its line, its headers and its body', () => {
  const head =
    'GET /v1/prices?all=1 HTTP/1.1\r\nConnection: keep-alive\r\nUser-Agent: Weir/0.1\r\nAccept: */*\r\n' +
    'Host: api.example.com:8080\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n'
  expect(requestSize('http://api.example.com:8080/v1/prices?all=1', 0)).toBe(head.length)
  expect(requestSize('https://api.example.com:8080/v1/prices?all=1', 30)).toBe(head.length + 30)
})

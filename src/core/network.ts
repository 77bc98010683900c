import {
  type Baselines,
  heartbeatsIn,
  type SavingsSums,
  type Shares,
  type Streaming,
  savedOf,
} from './measures.ts'

/** What crosses the network for one client in one way, estimated; in bytes, packets and connections. */
export interface NetworkSide {
  /** The sum of the four below. */
  bytes: number
  /** Responses: bodies and heads, or everything that is streamed. */
  payloadBytes: number
  /** Heads and bodies of the requests. */
  requestBytes: number
  /** Headers of all IP and TCP packets, acknowledgments and opening and closing of connections included. */
  packetBytes: number
  /** TLS handshakes and records; 0 over plain HTTP. */
  tlsBytes: number
  requests: number
  packets: number
  /** TCP connections; may be a fraction. */
  connections: number
}

/** Both ways of following, as one client's traffic. */
export interface Network {
  polling: { [Name in keyof Baselines]: NetworkSide }
  streaming: { plain: NetworkSide; gzip: NetworkSide }
  /** Share of each baseline that streaming saves. */
  clientBandwidthSavings: Shares
}

/** Size of a request, where requests weren't counted. @param ownBytes headers and body that the stream sets */
export function requestSize(url: string, ownBytes: number): number {
  return BARE_REQUEST.length + url.length - url.indexOf('//') - '//'.length + ownBytes
}

/** How a stream's API is asked. */
export interface Link {
  isEncrypted: boolean
  /** Head and body of one request; used where requests weren't counted. */
  requestBytes: number
  /** Payload of a full packet. */
  segmentBytes?: number
}

/** Payload of a full packet on Ethernet: an MTU of 1,500, less an IPv4 header and a TCP header with timestamps. */
const SEGMENT_BYTES = 1_448
const PACKET_BYTES = 52
/** Receivers acknowledge every second full packet, and the last one. @see https://www.rfc-editor.org/rfc/rfc9293 3.8.6.3 */
const PACKETS_PER_ACK = 2
/** SYN, SYN-ACK, ACK, and FIN and ACK from either side; each SYN has options of eight more bytes. */
const CONNECTION_PACKETS = 7
const SYN_OPTION_BYTES = 16
/** A TLS 1.3 handshake with a chain of two certificates and two session tickets: about 5,000 bytes in nine packets. */
const HANDSHAKE_BYTES = 5_000
const HANDSHAKE_PACKETS = 9
/** TLS 1.3: a header of five, the content type, and an authentication tag of 16. @see https://www.rfc-editor.org/rfc/rfc8446 5.2 */
const RECORD_BYTES = 22
const MAX_RECORD_BYTES = 16_384
/** Servers close a connection that was idle for longer, in milliseconds: nginx after 75 s, load balancers after 60 s. */
const KEEP_ALIVE_MS = 60_000
/** What a subscriber's request has in addition: the proxy's path, and the API's scheme in it. */
const SUBSCRIBE_BYTES = '/proxy/https://'.length
/** A request by Weir itself over HTTP/1.1, without the stream's own headers; the URL is in it once, less its scheme. */
const BARE_REQUEST =
  'GET  HTTP/1.1\r\nConnection: keep-alive\r\nUser-Agent: Weir/0.1\r\nAccept: */*\r\nHost: \r\n' +
  'Accept-Encoding: gzip, deflate, br, zstd\r\n\r\n'

/** Messages of one size in one direction, each acknowledged unless the answer does that. */
interface Messages {
  count: number
  /** Mean size. */
  bytes: number
  isAnswered?: boolean
}

/**
 * What polling and streaming put on the network, over HTTP/1.1 on both sides, as TCP and TLS frame it.
 * @param streamed what {@link savings} found for the same sums
 */
export function network(
  sums: SavingsSums,
  { baselines, streaming }: { baselines: Baselines; streaming: { plain: Streaming; gzip: Streaming } },
  link: Link,
): Network {
  const polling = {
    plain: polled(sums, baselines.plain, sums.polls, link),
    gzip: polled(sums, baselines.gzip, sums.polls, link),
    conditional: polled(sums, baselines.conditional, sums.polls - (sums.compared - sums.changed), link),
  }
  const sides = {
    plain: streamedSide(sums, streaming.plain, sums.snapshotBytes, link),
    gzip: streamedSide(sums, streaming.gzip, sums.snapshotGzipBytes, link),
  }
  return withShares(polling, sides)
}

/** The sum over streams. */
export function addNetworks(all: readonly Network[]): Network {
  const add = (side: (one: Network) => NetworkSide) => addSides(all.map(side))
  return withShares(
    {
      plain: add(({ polling }) => polling.plain),
      gzip: add(({ polling }) => polling.gzip),
      conditional: add(({ polling }) => polling.conditional),
    },
    { plain: add(({ streaming }) => streaming.plain), gzip: add(({ streaming }) => streaming.gzip) },
  )
}

function withShares(polling: Network['polling'], streaming: Network['streaming']): Network {
  const bytes = {
    plain: polling.plain.bytes,
    gzip: polling.gzip.bytes,
    conditional: polling.conditional.bytes,
  }
  return {
    polling,
    streaming,
    clientBandwidthSavings: savedOf(bytes, streaming.plain.bytes, streaming.gzip.bytes),
  }
}

/** @param full how many of the polls are answered with a body */
function polled(sums: SavingsSums, payloadBytes: number, full: number, link: Link): NetworkSide {
  const { polls, headBytes, connectedMs } = sums
  const head = headBytes / polls
  const body = full === 0 ? 0 : Math.max(0, payloadBytes - headBytes) / full
  const requests = answeredRequests(sums)
  const bytes = bytesPerRequest(sums, link)
  const isKept = connectedMs / polls <= KEEP_ALIVE_MS
  return sideOf(link, {
    payloadBytes,
    requests,
    requestBytes: requests * bytes,
    connections: isKept ? 1 : requests,
    messages: [
      { count: requests, bytes, isAnswered: true },
      { count: full, bytes: head + body },
      { count: polls - full, bytes: head },
      // Redirects are short.
      { count: requests - polls, bytes: 1 },
    ],
  })
}

function streamedSide(
  sums: SavingsSums,
  { bytes: payloadBytes, frameBytes, heartbeatBytes }: Streaming,
  snapshotBytes: number,
  link: Link,
): NetworkSide {
  const { changed, connectedMs, connections } = sums
  const heartbeats = heartbeatsIn(connectedMs)
  const requestBytes = bytesPerRequest(sums, link) + SUBSCRIBE_BYTES
  const each = (bytes: number, count: number) => (count === 0 ? 0 : bytes / count)
  return sideOf(link, {
    payloadBytes,
    requests: connections,
    requestBytes: connections * requestBytes,
    connections,
    messages: [
      { count: connections, bytes: requestBytes, isAnswered: true },
      // The head with `retry`, and the snapshot.
      { count: connections, bytes: 1 },
      { count: connections, bytes: each(snapshotBytes, connections) },
      { count: changed, bytes: each(frameBytes, changed) },
      { count: heartbeats, bytes: each(heartbeatBytes, heartbeats) },
    ],
  })
}

interface Traffic {
  payloadBytes: number
  requests: number
  requestBytes: number
  connections: number
  messages: readonly Messages[]
}

function sideOf({ isEncrypted, segmentBytes = SEGMENT_BYTES }: Link, traffic: Traffic): NetworkSide {
  const { payloadBytes, requests, requestBytes, connections, messages } = traffic
  let packets = connections * CONNECTION_PACKETS
  let records = 0
  for (const { count, bytes, isAnswered = false } of messages) {
    const segments = Math.max(1, Math.ceil(bytes / segmentBytes))
    packets += count * (segments + (isAnswered ? 0 : Math.ceil(segments / PACKETS_PER_ACK)))
    records += count * Math.max(1, Math.ceil(bytes / MAX_RECORD_BYTES))
  }
  if (isEncrypted) packets += connections * HANDSHAKE_PACKETS
  const side = {
    payloadBytes: Math.round(payloadBytes),
    requestBytes: Math.round(requestBytes),
    packetBytes: Math.round(packets * PACKET_BYTES + connections * SYN_OPTION_BYTES),
    tlsBytes: isEncrypted ? Math.round(records * RECORD_BYTES + connections * HANDSHAKE_BYTES) : 0,
  }
  const bytes = Object.values(side).reduce((total, part) => total + part, 0)
  return { bytes, ...side, requests: Math.round(requests), packets: Math.round(packets), connections }
}

/** Requests of the polls that were answered, redirects included: one per poll where they weren't counted. */
function answeredRequests({ requests, polls, failures }: SavingsSums): number {
  return requests === 0 ? polls : Math.max(polls, (requests * polls) / (polls + failures))
}

function bytesPerRequest({ requests, requestBytes }: SavingsSums, link: Link): number {
  return requests === 0 ? link.requestBytes : requestBytes / requests
}

function addSides(sides: readonly NetworkSide[]): NetworkSide {
  const sum = (name: keyof NetworkSide) => sides.reduce((total, side) => total + side[name], 0)
  return {
    bytes: sum('bytes'),
    payloadBytes: sum('payloadBytes'),
    requestBytes: sum('requestBytes'),
    packetBytes: sum('packetBytes'),
    tlsBytes: sum('tlsBytes'),
    requests: sum('requests'),
    packets: sum('packets'),
    connections: sum('connections'),
  }
}

import type { ReportedKind } from '../topology/rules.ts'
import { fitName } from './names.ts'
import type { Attributes, ReceivedSpan } from './spans.ts'

/** The other end of a call, as described by this end's span. */
export interface Peer {
  id: string
  kind: ReportedKind
}

/** What a messaging span did: sent to a queue, or handled what came from it. */
export type Transfer = 'sent' | 'received' | 'looked' | 'other'

const OPERATIONS: Readonly<Record<string, Transfer>> = {
  create: 'sent',
  send: 'sent',
  publish: 'sent',
  // A consumer that polls for messages: there may have been none.
  receive: 'looked',
  process: 'received',
  deliver: 'received',
}
/**
 * HTTP statuses of gRPC's codes, by number.
 * @see https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
const GRPC_AS_HTTP = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

/** The database that a span is about, if any. */
export function databaseOf({ attributes }: ReceivedSpan): Peer | undefined {
  const system = textOf(attributes, 'db.system.name', 'db.system')
  if (system === undefined) return undefined
  const namespace = textOf(attributes, 'db.namespace', 'db.name', 'db.redis.database_index')
  return peer('database', system, [peerAddressOf(attributes), namespace].filter(Boolean).join('/'))
}

/** The queue or topic that a span is about, if any. */
export function queueOf({ attributes }: ReceivedSpan): Peer | undefined {
  const system = textOf(attributes, 'messaging.system')
  if (system === undefined) return undefined
  // Names made for one connection would become a node each.
  const isPassing = ['temporary', 'anonymous'].some(
    (is) => attributes.get(`messaging.destination.${is}`) === true,
  )
  const template = textOf(attributes, 'messaging.destination.template')
  const name = textOf(attributes, 'messaging.destination.name', 'messaging.destination')
  return peer('queue', system, template ?? (isPassing ? '' : (name ?? '')))
}

export function transferOf({ kind, attributes }: ReceivedSpan): Transfer {
  if (kind === 'producer') return 'sent'
  if (kind === 'consumer') return 'received'
  return OPERATIONS[textOf(attributes, 'messaging.operation.type', 'messaging.operation') ?? ''] ?? 'other'
}

/** The service that a caller names, whatever its address. */
export function namedPeerOf({ attributes }: ReceivedSpan): string | undefined {
  return fitName(textOf(attributes, 'service.peer.name', 'peer.service') ?? '')
}

/** The destination of a call, as host or host:port. */
export function peerAddressOf(attributes: Attributes): string | undefined {
  const host = textOf(attributes, 'server.address', 'net.peer.name')
  if (host !== undefined) return withPort(host, textOf(attributes, 'server.port', 'net.peer.port'))
  const url = URL.parse(textOf(attributes, 'url.full', 'http.url') ?? '')
  if (url?.host) return url.host
  const asked = textOf(attributes, 'http.host')
  if (asked !== undefined) return asked
  const socket = textOf(attributes, 'network.peer.address', 'net.sock.peer.addr')
  return socket && withPort(socket, textOf(attributes, 'network.peer.port', 'net.sock.peer.port'))
}

/** The result of a call as an HTTP status: its own if it has one, else 200 or the closest match to its error. */
export function httpStatusOf({ attributes, isError }: ReceivedSpan): number {
  const http = Number(attributes.get('http.response.status_code') ?? attributes.get('http.status_code'))
  if (Number.isInteger(http) && http >= 100 && http <= 599) return http
  const grpc = attributes.get('rpc.grpc.status_code')
  if (grpc !== undefined) return GRPC_AS_HTTP[Number(grpc)] ?? 500
  const errorType = textOf(attributes, 'error.type') ?? ''
  if (/^[45]\d\d$/.test(errorType)) return Number(errorType)
  return isError || errorType !== '' ? 500 : 200
}

function peer(kind: ReportedKind, system: string, rest: string): Peer | undefined {
  const id = fitName(`${system} ${rest}`)
  return id === undefined ? undefined : { id, kind }
}

function withPort(host: string, port: string | undefined): string {
  if (port === undefined || port === '0') return host
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The first attribute that is set and not empty. */
function textOf(attributes: Attributes, ...keys: string[]): string | undefined {
  for (const key of keys) {
    const value = attributes.get(key)
    if (value !== undefined && value !== '') return String(value)
  }
  return undefined
}

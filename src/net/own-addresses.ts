import { networkInterfaces } from 'node:os'
import { type AddressRange, isWithinRange, rangeOf } from './addresses.ts'

/** Address of a network interface, with its subnet as CIDR, if any. */
export type InterfaceAddress = Pick<ReturnType<typeof allOfThisMachine>[number], 'address' | 'cidr'>

export interface OwnAddressesDeps {
  read?: () => readonly InterfaceAddress[]
  /** A clock in milliseconds, only used for differences. */
  now?: () => number
}

/** Interfaces come and go (VPNs, containers), but listing them for every request would cost more than the request. */
const FRESH_MS = 5_000
/** A larger subnet doesn't say who is nearby; a point-to-point link may claim every address. */
const WIDEST_BITS = { ipv4: 8, ipv6: 32 } as const

/** The addresses of this machine, and their subnets. */
export class OwnAddresses {
  readonly #read: NonNullable<OwnAddressesDeps['read']>
  readonly #now: () => number
  #ranges: readonly AddressRange[]
  #readAt: number

  /** @throws Error if the system doesn't list them */
  constructor({ read = allOfThisMachine, now = () => performance.now() }: OwnAddressesDeps = {}) {
    this.#read = read
    this.#now = now
    this.#readAt = now()
    this.#ranges = rangesOf(firstRead(read))
  }

  has(address: string): boolean {
    if (this.#now() - this.#readAt >= FRESH_MS) this.#refresh()
    return this.#ranges.some((range) => isWithinRange(address, range))
  }

  #refresh(): void {
    this.#readAt = this.#now()
    try {
      this.#ranges = rangesOf(this.#read())
    } catch {
      // Keeps the last known ones.
    }
  }
}

function firstRead(read: () => readonly InterfaceAddress[]): readonly InterfaceAddress[] {
  try {
    return read()
  } catch (error) {
    throw new Error(
      `Can't list this machine's own addresses (${(error as Error).message}), which others must not reach ` +
        'through Weir. Allow the process to open AF_NETLINK sockets.',
      { cause: error },
    )
  }
}

function allOfThisMachine() {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
}

function rangesOf(addresses: readonly InterfaceAddress[]): AddressRange[] {
  return addresses.flatMap(({ address, cidr }) => {
    const subnet = cidr === null ? undefined : rangeOf(cidr)
    const isNarrow = subnet !== undefined && subnet[1] >= WIDEST_BITS[subnet[0].kind()]
    const range = isNarrow ? subnet : rangeOf(address)
    return range === undefined ? [] : [range]
  })
}

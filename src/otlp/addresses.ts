/** At the bound the one that was heard of longest ago is forgotten. */
const MAX_ADDRESSES = 2000

/** Which service answers at which address, as the calls tell whose both ends are known. */
export class Addresses {
  readonly #services = new Map<string, string>()

  /** An address behind which several services were met, such as a gateway's, is nobody's: kept as an empty name. */
  learn(address: string, service: string): void {
    const known = this.#services.get(address)
    this.#services.delete(address)
    this.#services.set(address, known === undefined || known === service ? service : '')
    const [oldest] = this.#services.keys()
    if (this.#services.size > MAX_ADDRESSES && oldest !== undefined) this.#services.delete(oldest)
  }

  serviceAt(address: string): string | undefined {
    return this.#services.get(address) || undefined
  }
}

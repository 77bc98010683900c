/** At the bound the least recently seen one is forgotten. */
const MAX_ADDRESSES = 2000

/** Maps addresses to services, learned from calls with both ends known. */
export class Addresses {
  readonly #services = new Map<string, string>()

  /**
   * An address with several services behind it, such as a gateway's, belongs to none: it is kept with an empty name.
   */
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

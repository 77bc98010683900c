/** A character that is in each message once, and nowhere else in what a subscriber is sent. */
export const MARK = '~'

/** What may be asked of whoever has news for many. */
export type Ask =
  /** From now on so many a second, of so many bytes each. */
  { do: 'send'; perSecond: number; bytes: number } | { do: 'hush' }

export interface Told {
  /** All that were sent so far. */
  sent: number
}

/** Sends news when asked to: JSON on one line, numbered from 1. */
export function startNews(send: (text: string, number: number) => void): { answer(ask: Ask): Told } {
  let sent = 0
  let timer: Timer | undefined
  return {
    answer(ask) {
      clearInterval(timer)
      if (ask.do === 'send') {
        timer = setInterval(() => send(newsOf(++sent, ask.bytes), sent), 1000 / ask.perSecond)
      }
      return { sent }
    },
  }
}

/** JSON on one line, with the mark that it is counted by. */
export function newsOf(number: number, bytes: number): string {
  return `${`{"number":${number},"text":"${MARK}`.padEnd(bytes - 2, 'x')}"}`
}

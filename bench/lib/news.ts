/** Occurs once in each message, and nowhere else in what a subscriber is sent. */
export const MARK = '~'

/** Commands for the source of messages. */
export type Ask =
  /** Send messages at this rate and size from now on. */
  { do: 'send'; perSecond: number; bytes: number } | { do: 'hush' }

export interface Told {
  /** Number of messages sent so far. */
  sent: number
}

/** Sends messages on command: JSON on one line, numbered from 1. */
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

/** JSON on one line, with the mark by which it is counted. */
export function newsOf(number: number, bytes: number): string {
  return `${`{"number":${number},"text":"${MARK}`.padEnd(bytes - 2, 'x')}"}`
}

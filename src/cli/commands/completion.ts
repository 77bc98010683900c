import { type Command, EXIT, UsageError } from '../command.ts'
import { completionScript, SHELLS, type Shell } from '../completion-scripts.ts'
import { nearest } from '../nearest.ts'

export const completion: Command = {
  summary: 'Print a shell completion script for commands, options and stream names',
  takes: SHELLS.join('|'),
  min: 1,
  max: 1,
  completes: SHELLS,
  options: {},
  examples: ['source <(weir completion bash)', 'weir completion fish > ~/.config/fish/completions/weir.fish'],
  async run({ args: [shell = ''] }, { out, self }) {
    if (!SHELLS.includes(shell as Shell)) {
      const meant = nearest(shell, SHELLS)
      throw new UsageError([
        `expected ${SHELLS.join(', ')}, got "${shell}"${meant ? `; did you mean ${meant}?` : ''}`,
      ])
    }
    await out.write(completionScript(shell as Shell, self))
    return EXIT.ok
  },
}

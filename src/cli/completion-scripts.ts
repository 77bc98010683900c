export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** The hidden command that the scripts call: the shell's name, then the words up to the cursor. */
export const COMPLETE = '__complete'

/** A script for a shell; `self` starts this program, which has all the logic. */
export function completionScript(shell: Shell, self: readonly string[]): string {
  const ask = [...self.map(quoted), COMPLETE, shell].join(' ')
  return { bash, zsh, fish }[shell](ask)
}

/** The program returns words for bash: quoted if necessary, without what precedes a colon. */
function bash(ask: string): string {
  return `_weir() {
  local candidate
  COMPREPLY=()
  while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(
    ${ask} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null
  )
}
complete -F _weir weir
`
}

function zsh(ask: string): string {
  return `#compdef weir
_weir() {
  local -a found
  found=("\${(@f)$(${ask} "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- \${found:#}
}
compdef _weir weir
`
}

function fish(ask: string): string {
  return `function __weir_complete
  set -l words (commandline -opc) (commandline -ct)
  ${ask} $words[2..-1] 2>/dev/null
end
complete -c weir -f -a '(__weir_complete)'
`
}

/** One word of a POSIX shell; fish reads it the same way. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** The thin part that each shell needs: it hands the words over and shows what comes back. `agentd completion words` is the rest. */
export const SHELL_SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# bash completion for agentd(1); load it with: source <(agentd completion bash)
_agentd() {
    local line cur=\${COMP_WORDS[COMP_CWORD]} IFS=$'\\n'
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            COMPREPLY+=($(compgen -f -- "$cur"))
        elif [[ -n $line ]]; then
            COMPREPLY+=("\${line%%$'\\t'*}")
        fi
    done < <("\${COMP_WORDS[0]}" completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _agentd agentd
`,
  zsh: `#compdef agentd
# zsh completion for agentd(1); load it with: source <(agentd completion zsh)
_agentd() {
    local line word about
    local -a described
    local files=
    while IFS= read -r line; do
        if [[ $line == :files ]]; then files=yes; continue; fi
        word=\${line%%$'\\t'*} about=\${line#*$'\\t'}
        described+=("\${word//:/\\\\:}:$about")
    done < <("\${words[1]}" completion words -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
    (( $#described )) && _describe -V agentd described
    [[ -z $files ]] || _files
}
if [[ \${funcstack[1]} == _agentd ]]; then _agentd "$@"; else compdef _agentd agentd; fi
`,
  fish: `# fish completion for agentd(1); load it with: agentd completion fish | source
function __agentd_words
    set -l before (commandline -opc)
    set -l last (commandline -ct)
    for line in ($before[1] completion words -- $before[2..-1] "$last" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$last"
        else
            echo $line
        end
    end
end
complete -c agentd -f -a '(__agentd_words)'
`,
};

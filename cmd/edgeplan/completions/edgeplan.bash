# Completion of edgeplan for bash. Load it with
#   source <(edgeplan completion bash)
_edgeplan() {
	local words=() i word full candidate
	# Bash breaks words at =, and edgeplan does not.
	for ((i = 1; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((i > 1)) && [[ $word == = || ${COMP_WORDS[i - 1]} == = ]]; then
			words[${#words[@]} - 1]+=$word
		else
			words+=("$word")
		fi
	done
	full=${words[${#words[@]} - 1]}
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		[[ $full == *=* && $COMP_WORDBREAKS == *=* ]] && candidate=${candidate#*=}
		[[ $candidate == *[=/] ]] && compopt -o nospace 2>/dev/null
		printf -v candidate %q "$candidate"
		COMPREPLY+=("$candidate")
	done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
}
complete -F _edgeplan edgeplan

#compdef edgeplan
# Completion of edgeplan for zsh. Load it with
#   source <(edgeplan completion zsh)
# or write it to a file _edgeplan in a folder of $fpath.
_edgeplan() {
	local line candidate
	local -a whole open
	for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		candidate=${line%%$'\t'*}
		case $candidate in
			'') ;;
			*[=/]) open+=("$candidate") ;;
			*) whole+=("$candidate") ;;
		esac
	done
	((${#whole})) && compadd -- "${whole[@]}"
	((${#open})) && compadd -S '' -- "${open[@]}"
	((${#whole} + ${#open}))
}
if [[ ${funcstack[1]} == _edgeplan ]]; then
	_edgeplan "$@"
else
	compdef _edgeplan edgeplan
fi

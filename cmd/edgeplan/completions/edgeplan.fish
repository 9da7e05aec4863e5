# Completion of edgeplan for fish. Load it with
#   edgeplan completion fish | source
function __edgeplan_complete
    set -l words (commandline -opc)
    command $words[1] __complete $words[2..-1] (commandline -ct) 2>/dev/null
end
complete -c edgeplan -f -a '(__edgeplan_complete)'

# What an operator sees first: how the machine is, and the three commands that matter.
case $- in
*i*)
	if [ -t 1 ] && [ -z "${AAOS_GREETED:-}" ] && id -nG | grep -qw aaos; then
		export AAOS_GREETED=yes
		. /etc/os-release
		case $(cat /run/aaos/selftest.json 2>/dev/null) in
		*'"ok":true'*) aaos_selftest='selftest passed' ;;
		'') aaos_selftest='selftest not done yet' ;;
		*) aaos_selftest='selftest FAILED (agentd doctor)' ;;
		esac
		printf '\n%s on %s, agentd %s, %s\n\n' "$PRETTY_NAME" "$(uname -n)" "$(systemctl is-active agentd.service)" "$aaos_selftest"
		unset aaos_selftest
		[ ! -e /usr/lib/aaos/development-key ] ||
			printf '  DEVELOPMENT KEY: this machine takes upgrades that anybody with the key of its build has signed\n\n'
		printf '  agentd submit "GOAL"   give the machine a goal\n'
		printf '  agentd list            what it is doing\n'
		printf '  agentd doctor          what works and what does not, with the remedy\n\n'
	fi
	;;
esac

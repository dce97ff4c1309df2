#!/bin/bash
# The firewall, written whole as zone files: what a fact no longer says is gone, which --add-port could never do.
# needs: KF_FIREWALL KF_FIREWALL_PORTS KF_FIREWALL_PROTOCOLS KF_FIREWALL_TRUSTED
# needs: KF_FIREWALL_CLUSTER KF_FIREWALL_CLUSTER_PORTS KF_FIREWALL_SSH_FROM
# shellcheck source=/dev/null
. "$KFIMAGE_LIB/lib.sh"

if [[ $KF_FIREWALL == disabled ]]; then
    # Calico's own requirement; the run half stops one that runs.
    if systemctl is-enabled --quiet firewalld 2>/dev/null; then systemctl disable firewalld; fi
    exit 0
fi
[[ $KF_FIREWALL == firewalld ]] || die "firewall mode '$KF_FIREWALL' is unknown" "say firewalld or disabled in the site"

read -ra ports <<<"$KF_FIREWALL_PORTS"
read -ra protocols <<<"$KF_FIREWALL_PROTOCOLS"
read -ra trusted <<<"$KF_FIREWALL_TRUSTED"
read -ra cluster <<<"$KF_FIREWALL_CLUSTER"
read -ra cluster_ports <<<"$KF_FIREWALL_CLUSTER_PORTS"
read -ra ssh_from <<<"$KF_FIREWALL_SSH_FROM"

for port in "${ports[@]}" "${cluster_ports[@]}"; do
    [[ $port =~ ^[0-9]+(-[0-9]+)?/(tcp|udp|sctp|dccp)$ ]] || die "'$port' is not a port" \
        "write it as 6443/tcp or 30000-32767/udp in the site"
done
for source in "${trusted[@]}" "${cluster[@]}" "${ssh_from[@]}"; do
    [[ $source =~ ^[0-9a-fA-F.:]+(/[0-9]+)?$ ]] || die "'$source' is not a network" "write it as 10.20.0.0/16 in the site"
done

port_xml() { printf '<port port="%s" protocol="%s"/>' "${1%/*}" "${1#*/}"; }
# rule SOURCE WHAT: what only this source may reach.
rule() {
    local family=ipv4
    if [[ $1 == *:* ]]; then family=ipv6; fi
    printf '  <rule family="%s">\n    <source address="%s"/>\n    %s\n    <accept/>\n  </rule>\n' "$family" "$1" "$2"
}

public_zone() {
    local port protocol source
    printf '<?xml version="1.0" encoding="utf-8"?>\n<!-- written by kfimage from %s -->\n<zone>\n  <short>Public</short>\n' "$FACTS_FILE"
    if ((!${#ssh_from[@]})); then printf '  <service name="ssh"/>\n'; fi
    printf '  <service name="dhcpv6-client"/>\n'
    for port in "${ports[@]}"; do printf '  %s\n' "$(port_xml "$port")"; done
    if ((!${#cluster[@]})); then
        for port in "${cluster_ports[@]}"; do printf '  %s\n' "$(port_xml "$port")"; done
        for protocol in "${protocols[@]}"; do printf '  <protocol value="%s"/>\n' "$protocol"; done
    fi
    for source in "${ssh_from[@]}"; do rule "$source" '<service name="ssh"/>'; done
    # Rules in one zone, not a zone by source: traffic of a source zone never sees the ports of public.
    for source in "${cluster[@]}"; do
        for port in "${cluster_ports[@]}"; do rule "$source" "$(port_xml "$port")"; done
        # A tunnel that anyone may feed is a way around every rule for pods.
        for protocol in "${protocols[@]}"; do rule "$source" "<protocol value=\"$protocol\"/>"; done
    done
    printf '</zone>\n'
}

trusted_zone() {
    local source
    printf '<?xml version="1.0" encoding="utf-8"?>\n<!-- written by kfimage from %s -->\n<zone target="ACCEPT">\n  <short>Trusted</short>\n' "$FACTS_FILE"
    for source in "${trusted[@]}"; do printf '  <source address="%s"/>\n' "$source"; done
    printf '</zone>\n'
}

public_zone | put /etc/firewalld/zones/public.xml 0644
trusted_zone | put /etc/firewalld/zones/trusted.xml 0644
# With nftables an accept of kube-proxy or Calico does not stop firewalld's own later chain from rejecting (calico#5232).
set_key /etc/firewalld/firewalld.conf FirewallBackend iptables
set_key /etc/firewalld/firewalld.conf DefaultZone public
if [[ $KFIMAGE_PHASE == install ]]; then
    firewall-offline-cmd --check-config >/dev/null || die "firewalld does not accept what was written" \
        "firewall-offline-cmd --check-config; cat /etc/firewalld/zones/public.xml"
fi
if ! systemctl is-enabled --quiet firewalld 2>/dev/null; then systemctl enable firewalld; fi

"""Foreman's boot templates of a role: PXELinux, GRUB 2 and iPXE, with Foreman's own words for what only it knows."""

from __future__ import annotations

_NETWORK = """\
<%
  port = @host.provision_interface
  net = port.subnet
  words = ["inst.ks=#{foreman_url('provision')}", "inst.ks.sendmac"]
  words.push("BOOTIF=01-#{port.mac.gsub(':', '-')}") if port.mac
  if net && !net.dhcp_boot_mode?
    words.push("ip=#{port.ip}::#{net.gateway}:#{net.mask}:#{@host.name}:#{port.identifier}:none")
    net.dns_servers.each { |server| words.push("nameserver=#{server}") }
  else
    words.push("ip=dhcp")
  end
  words.push("fips=1") if host_param_true?('fips_enabled')
  words.push(host_param('kf_kernel_options').to_s)
-%>
"""


def templates(title: str, common: tuple[str, ...]) -> dict[str, str]:
    """Bodies by kind. `common` are the kernel arguments that all of the role's nodes have."""
    own = [arg for arg in common if arg != "ip=dhcp"]
    args = f"<%= words.join(' ').strip %> {' '.join(own)}<%= pxe_kernel_options.to_s == '' ? '' : ' ' + pxe_kernel_options.to_s %>"
    return {
        "PXELinux": f"{_NETWORK}DEFAULT install\nPROMPT 0\nTIMEOUT 50\nLABEL install\n  MENU LABEL {title}\n  KERNEL <%= @kernel %>\n"
        f"  APPEND initrd=<%= @initrd %> {args}\n  IPAPPEND 2\n",
        "PXEGrub2": f"{_NETWORK}set default=0\nset timeout=5\nmenuentry '{title}' {{\n  linuxefi <%= @kernel %> {args}\n  initrdefi <%= @initrd %>\n}}\n",
        "iPXE": f"{_NETWORK}kernel <%= @host.url_for_boot(:kernel) %> initrd=initrd.img {args}\n"
        "initrd --name initrd.img <%= @host.url_for_boot(:initrd) %>\nboot\n",
    }

# Templates as Foreman renders them, without Foreman: plain ERB in its trim mode, over a stub of the macros they use.
# stdin: JSON list of {"template": text, "params": {...}, "snippets": {...}}; stdout: JSON list of texts.
require 'erb'
require 'json'

class Net
  def dhcp_boot_mode?() = false
  def gateway() = '10.20.1.1'
  def mask() = '255.255.255.0'
  def dns_servers() = ['10.20.0.1', '10.20.0.2']
end

class Port
  attr_accessor :subnet
  def mac() = '52:54:00:aa:bb:cc'
  def ip() = '10.20.1.31'
  def identifier() = 'eno1'
end

class Host
  attr_reader :provision_interface
  def initialize(static)
    @provision_interface = Port.new
    @provision_interface.subnet = Net.new if static
  end
  def name() = 'gpu.lab'
  def url_for_boot(what) = "http://boot.lab/#{what}"
end

class Scope
  def initialize(params, snippets, static)
    @params, @snippets = params, snippets
    @host, @kernel, @initrd = Host.new(static), 'boot/vmlinuz', 'boot/initrd.img'
  end
  def host_param(name, default = nil) = @params.fetch(name, default)
  def host_param!(name) = @params.fetch(name)
  def host_param_true?(name) = @params[name] == 'true'
  def foreman_url(action) = "http://foreman.lab/unattended/#{action}?token=0a1b"
  def template_name() = 'kfimage x'
  def snippet_if_exists(name) = @snippets.fetch(name, '')
  def pxe_kernel_options() = ''
  def render(text) = ERB.new(text, trim_mode: '-').result(binding)
end

puts JSON.generate(JSON.parse($stdin.read).map { |c| Scope.new(c['params'] || {}, c['snippets'] || {}, c['static']).render(c['template']) })

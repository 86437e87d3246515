# What restarts ISC dhcpd on its own host. make install-dhcpd
.PHONY: install-dhcpd
install-dhcpd:
	$(INSTALL) -D -m 755 workers/dhcpd/nmsp-dhcpd-restart '$(DESTDIR)/usr/local/sbin/nmsp-dhcpd-restart'

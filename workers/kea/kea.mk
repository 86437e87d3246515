# Optional, where kea-dev is: the hook by which Kea knows the modem a client is behind, and the
# command that puts a configuration into service. make kea-hook; make install-kea
KEA_HOOK   = build/kea/libnmsp_cm_flexid.so
KEA_HOOKS ?= /usr/lib/$(shell $(CXX) -print-multiarch)/kea/hooks
KEA_LIBS   = $(addprefix -lkea-,hooks dhcp++ dhcpsrv log util exceptions cc asiolink database)

.PHONY: kea-hook install-kea
kea-hook: $(KEA_HOOK)

$(KEA_HOOK): workers/kea/cm_flexid.cc workers/kea/compat/dhcpsrv/cfg_globals.h workers/kea/kea.mk
	@mkdir -p build/kea
	$(CXX) -std=c++14 -O2 -g -Wall -Wextra -Wno-unused-parameter -fPIC -shared -Wl,-z,defs,-z,nodelete \
	    -Iworkers/kea/compat -isystem /usr/include/kea -isystem $(shell $(PG_CONFIG) --includedir) -o $@ $< $(KEA_LIBS)

install-kea: kea-hook
	$(INSTALL) -D -m 644 $(KEA_HOOK) '$(DESTDIR)$(KEA_HOOKS)/libnmsp_cm_flexid.so'
	$(INSTALL) -D -m 755 workers/kea/nmsp-kea-apply '$(DESTDIR)/usr/local/sbin/nmsp-kea-apply'

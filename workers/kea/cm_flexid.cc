// cm_flexid: tells Kea which cable modem a client is behind.
//
// The flexible identifier of a client behind a modem is 'C' and the modem's MAC address, so that
// one host row per modem stands for all of its CPEs and set-top boxes. A modem itself and an MTA
// (its vendor class begins with "pktc") have no flexible identifier: they are found by their
// hardware address.
//
// DHCPv4: the modem is option 82 remote-id. A client that renews its lease writes to the server
// directly, without option 82; then it is what the lease was given with (store-extended-info).
// DHCPv6: sub-option 1026 (CableLabs device id, enterprise 4491) of the outermost relay that has
// one, or six bytes of option 37 (remote-id).
//
// A device that is found everywhere brings its fixed address along (user context of its host row, see
// sql/views/60_kea.sql), so Kea's next questions about the same packet, whether it has a reservation
// in the subnet and whose its address is, need no statement.
//
// And no client is refused (NAK, NotOnLink, NoAddrsAvail, NoBinding) or led into the walled garden
// of the unknown because the database went away.
#include <config.h>

#include <asiolink/io_address.h>
#include <cc/data.h>
#include <dhcp/dhcp4.h>
#include <dhcp/dhcp6.h>
#include <dhcp/option.h>
#include <dhcp/option_vendor.h>
#include <dhcp/pkt4.h>
#include <dhcp/pkt6.h>
#include <dhcpsrv/host.h>
#include <dhcpsrv/host_data_source_factory.h>
#include <dhcpsrv/host_mgr.h>
#include <dhcpsrv/lease_mgr_factory.h>
#include <dhcpsrv/pgsql_host_data_source.h>
#include <hooks/hooks.h>
#include <util/strutil.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

using namespace isc::dhcp;
using namespace isc::hooks;
typedef std::vector<uint8_t> Bytes;

namespace {

const size_t MAC_SIZE = 6;
const uint8_t REMOTE_ID4 = 2;
const uint32_t CABLELABS = 4491;
const uint16_t DEVICE_ID = 1026;
const size_t ENTERPRISE_SIZE = 4;
const size_t LENGTH_SIZE = 2;
const std::string MTA_CLASS = "pktc";

// What the look-up that each packet begins with (early-global-reservations-lookup) said: the host
// that counts everywhere, if its row tells of the device's fixed address, and that address's subnet (0:
// there is none). Of this thread, because one thread serves a packet from its beginning to its end.
struct Device {
    ConstHostPtr host;
    SubnetID subnet = 0;
    isc::asiolink::IOAddress address = isc::asiolink::IOAddress::IPV4_ZERO_ADDRESS();

    // Takes {"fixed-subnet": 0} or {"fixed-subnet": 7, "fixed-address": "192.0.2.1"}.
    void
    remember(const ConstHostPtr& found)
    {
        isc::data::ConstElementPtr context = found ? found->getContext() : isc::data::ConstElementPtr();
        if (!context || context->getType() != isc::data::Element::map || !context->get("fixed-subnet")) {
            return;
        }
        subnet = context->get("fixed-subnet")->intValue();
        if (subnet != 0) {
            address = isc::asiolink::IOAddress(context->get("fixed-address")->stringValue());
        }
        host = found;
    }

    bool
    is(Host::IdentifierType type, const uint8_t* id, size_t size) const
    {
        return (host && host->getIdentifierType() == type && host->getIdentifier().size() == size &&
                std::memcmp(&host->getIdentifier()[0], id, size) == 0);
    }

    bool
    has(SubnetID id, const isc::asiolink::IOAddress& wanted) const
    {
        return (host && subnet != 0 && subnet == id && address == wanted);
    }

    // Its host in the subnet of the fixed address, which differs in nothing but these two and its key;
    // none in another.
    ConstHostPtr
    hostIn(SubnetID id) const
    {
        if (subnet == 0 || subnet != id) {
            return (ConstHostPtr());
        }
        HostPtr fixed(new Host(*host));
        fixed->setIPv4SubnetID(subnet);
        fixed->setIPv4Reservation(address);
        return (fixed);
    }
};

thread_local Device device;

// Kea's PostgreSQL host source, not asked again what it has just said.
class HostSource : public PgSqlHostDataSource {
public:
    using PgSqlHostDataSource::PgSqlHostDataSource;
    using PgSqlHostDataSource::get4;
    using PgSqlHostDataSource::getAll4;

    ConstHostPtr
    get4(const SubnetID& subnet, const Host::IdentifierType& type, const uint8_t* id,
         const size_t size) const override
    {
        if (subnet == SUBNET_ID_GLOBAL) {
            device = Device();
            ConstHostPtr found = PgSqlHostDataSource::get4(subnet, type, id, size);
            device.remember(found);
            return (found);
        }
        return (device.is(type, id, size) ? device.hostIn(subnet)
                                          : PgSqlHostDataSource::get4(subnet, type, id, size));
    }

    ConstHostPtr
    get4(const SubnetID& subnet, const isc::asiolink::IOAddress& address) const override
    {
        return (device.has(subnet, address) ? device.hostIn(subnet)
                                            : PgSqlHostDataSource::get4(subnet, address));
    }

    ConstHostCollection
    getAll4(const SubnetID& subnet, const isc::asiolink::IOAddress& address) const override
    {
        return (device.has(subnet, address) ? ConstHostCollection(1, device.hostIn(subnet))
                                            : PgSqlHostDataSource::getAll4(subnet, address));
    }
};

// Makes Kea open its PostgreSQL host database through Source. What was opened stays as it is until
// Kea reads its configuration again, which is why this library is never unmapped (-z nodelete).
template <typename Source> void
openThrough()
{
    HostDataSourceFactory::deregisterFactory("postgresql", true);
    HostDataSourceFactory::registerFactory("postgresql",
        [](const isc::db::DatabaseConnection::ParameterMap& parameters) {
            return (HostDataSourcePtr(new Source(parameters)));
        }, true);
}

// The sub-option remote-id of an option 82 without its head; empty when there is none.
Bytes
remoteIdOf(const Bytes& suboptions)
{
    for (size_t at = 0; at + 2 <= suboptions.size(); at += 2 + suboptions[at + 1]) {
        size_t end = at + 2 + suboptions[at + 1];
        if (end > suboptions.size()) {
            break;
        }
        if (suboptions[at] == REMOTE_ID4) {
            return (Bytes(suboptions.begin() + at + 2, suboptions.begin() + end));
        }
    }
    return (Bytes());
}

// The modem that a lease was given behind, from the option 82 that Kea stored with it:
// {"ISC": {"relay-agent-info": "0x..."}}, since Kea 2.3 {"sub-options": "0x..."} inside.
Bytes
modemOfLease(const Pkt4Ptr& query)
{
    Lease4Ptr lease = LeaseMgrFactory::instance().getLease4(query->getCiaddr());
    if (!lease || !lease->hwaddr_ || *lease->hwaddr_ != *query->getHWAddr()) {
        return (Bytes());
    }
    isc::data::ConstElementPtr info = lease->getContext();
    for (const char* key : {"ISC", "relay-agent-info", "sub-options"}) {
        if (info && info->getType() == isc::data::Element::map) {
            info = info->get(key);
        }
    }
    if (!info || info->getType() != isc::data::Element::string) {
        return (Bytes());
    }
    Bytes suboptions;
    isc::util::str::decodeFormattedHexString(info->stringValue(), suboptions);
    return (remoteIdOf(suboptions));
}

Bytes
modemOf(const Pkt4Ptr& query)
{
    OptionPtr agent = query->getOption(DHO_DHCP_AGENT_OPTIONS);
    if (agent) {
        OptionPtr remote = agent->getOption(REMOTE_ID4);
        return (remote ? remote->getData() : Bytes());
    }
    if (!query->getCiaddr().isV4Zero() && query->getGiaddr().isV4Zero()) {
        return (modemOfLease(query));
    }
    return (Bytes());
}

Bytes
modemOf(const Pkt6Ptr& query)
{
    for (size_t level = 0; level < query->relay_info_.size(); ++level) {
        OptionVendorPtr vendor = boost::dynamic_pointer_cast<OptionVendor>(
            query->getRelayOption(D6O_VENDOR_OPTS, level));
        if (vendor && vendor->getVendorId() == CABLELABS && vendor->getOption(DEVICE_ID)) {
            return (vendor->getOption(DEVICE_ID)->getData());
        }
        OptionPtr remote = query->getRelayOption(D6O_REMOTE_ID, level);
        if (remote) {
            Bytes data = remote->toBinary();
            if (data.size() == ENTERPRISE_SIZE + MAC_SIZE) {
                return (Bytes(data.begin() + ENTERPRISE_SIZE, data.end()));
            }
        }
    }
    return (Bytes());
}

bool
beginsWithMtaClass(const Bytes& data, size_t at)
{
    return (data.size() >= at + MTA_CLASS.size() &&
            std::equal(MTA_CLASS.begin(), MTA_CLASS.end(), data.begin() + at));
}

// True when the client says that it is an MTA.
bool
isMta(const Pkt4Ptr& query)
{
    OptionPtr option = query->getOption(DHO_VENDOR_CLASS_IDENTIFIER);
    if (!option) {
        return (false);
    }
    return (beginsWithMtaClass(option->toBinary(), 0));
}

// The same of DHCPv6: option 16 is an enterprise number, then values, each behind its length.
bool
isMta(const Pkt6Ptr& query)
{
    OptionPtr option = query->getOption(D6O_VENDOR_CLASS);
    if (!option) {
        return (false);
    }
    return (beginsWithMtaClass(option->toBinary(), ENTERPRISE_SIZE + LENGTH_SIZE));
}

// The client's own address, from the sources of Kea's "mac-sources" and in their order.
HWAddrPtr
clientOf(const Pkt6Ptr& query)
{
    for (uint32_t source : {HWAddr::HWADDR_SOURCE_CLIENT_ADDR_RELAY_OPTION,
                            HWAddr::HWADDR_SOURCE_DOCSIS_MODEM, HWAddr::HWADDR_SOURCE_DUID}) {
        HWAddrPtr address = query->getMAC(source);
        if (address) {
            return (address);
        }
    }
    return (HWAddrPtr());
}

// The identifier of who is behind a modem; empty when the client is the modem itself, or nobody
// knows its modem.
Bytes
identifierOf(const Bytes& modem, const HWAddrPtr& client)
{
    if (modem.size() != MAC_SIZE || (client && client->hwaddr_ == modem)) {
        return (Bytes());
    }
    Bytes id(1 + MAC_SIZE, 'C');
    std::copy(modem.begin(), modem.end(), id.begin() + 1);
    return (id);
}

void
identify(CalloutHandle& handle, const Bytes& id)
{
    if (!id.empty()) {
        Host::IdentifierType type = Host::IDENT_FLEX;
        handle.setArgument("id_type", type);
        handle.setArgument("id_value", id);
    }
}

// True when the client's host can be found at this moment; throws when the database is away.
bool
isFound(const Pkt4Ptr& query)
{
    const Bytes& mac = query->getHWAddr()->hwaddr_;
    Bytes id = isMta(query) ? Bytes() : identifierOf(modemOf(query), query->getHWAddr());
    HostMgr& hosts = HostMgr::instance();
    return ((!id.empty() && hosts.get4(SUBNET_ID_GLOBAL, Host::IDENT_FLEX, &id[0], id.size())) ||
            (!mac.empty() && hosts.get4(SUBNET_ID_GLOBAL, Host::IDENT_HWADDR, &mac[0], mac.size())));
}

bool
isFound(const Pkt6Ptr& query)
{
    HWAddrPtr client = clientOf(query);
    Bytes id = isMta(query) ? Bytes() : identifierOf(modemOf(query), client);
    HostMgr& hosts = HostMgr::instance();
    return ((!id.empty() && hosts.get6(SUBNET_ID_GLOBAL, Host::IDENT_FLEX, &id[0], id.size())) ||
            (client && !client->hwaddr_.empty() &&
             hosts.get6(SUBNET_ID_GLOBAL, Host::IDENT_HWADDR, &client->hwaddr_[0], client->hwaddr_.size())));
}

// True when a status of an answer, of the whole or of one of its associations, is not Success.
bool
refuses(const OptionCollection& options)
{
    for (const auto& entry : options) {
        uint16_t type = entry.second->getType();
        if (type == D6O_STATUS_CODE) {
            Bytes data = entry.second->toBinary();
            const size_t head = entry.second->getHeaderLen();
            if (data.size() >= head + 2 && (data[head] != 0 || data[head + 1] != STATUS_Success)) {
                return (true);
            }
        } else if ((type == D6O_IA_NA || type == D6O_IA_PD || type == D6O_IAADDR ||
                    type == D6O_IAPREFIX) && refuses(entry.second->getOptions())) {
            return (true);
        }
    }
    return (false);
}

// Served as one whom the database does not know.
template <typename PktPtr> bool
isStranger(const PktPtr& query)
{
    return (!query->inClass("KNOWN"));
}

} // namespace

extern "C" {

int
version()
{
    return (KEA_HOOKS_VERSION);
}

int
multi_threading_compatible()
{
    return (1);
}

int
load(LibraryHandle&)
{
    openThrough<HostSource>();
    return (0);
}

int
unload()
{
    openThrough<PgSqlHostDataSource>();
    return (0);
}

// Whatever is known is of another packet.
int
pkt4_receive(CalloutHandle&)
{
    device = Device();
    return (0);
}

// An identifier that cannot be made means a client without one: nothing is served to it.
int
host4_identifier(CalloutHandle& handle)
{
    try {
        Pkt4Ptr query;
        handle.getArgument("query4", query);
        if (query->getHWAddr() && !isMta(query)) {
            identify(handle, identifierOf(modemOf(query), query->getHWAddr()));
        }
    } catch (const std::exception&) {
        return (1);
    }
    return (0);
}

// A NAK takes a client down, so it must be the database's word. Kea makes one too when it loses the
// database between two look-ups for the same packet.
int
pkt4_send(CalloutHandle& handle)
{
    try {
        Pkt4Ptr query, response;
        handle.getArgument("query4", query);
        handle.getArgument("response4", response);
        if (response->getType() == DHCPNAK ? query->getHWAddr() && isFound(query)
                                           : !isStranger(query) || (query->getHWAddr() && !isFound(query))) {
            return (0);
        }
    } catch (const std::exception&) {
        // away
    }
    handle.setStatus(CalloutHandle::NEXT_STEP_DROP);
    return (0);
}

int
host6_identifier(CalloutHandle& handle)
{
    try {
        Pkt6Ptr query;
        handle.getArgument("query6", query);
        if (!isMta(query)) {
            identify(handle, identifierOf(modemOf(query), clientOf(query)));
        }
    } catch (const std::exception&) {
        return (1);
    }
    return (0);
}

// The same of DHCPv6. Who is blocked, or asks for what there is not, hears it while the database is
// there to say so.
int
pkt6_send(CalloutHandle& handle)
{
    try {
        Pkt6Ptr query, response;
        handle.getArgument("query6", query);
        handle.getArgument("response6", response);
        bool refused = refuses(response->options_);
        if ((!refused && !isStranger(query)) || isFound(query) != isStranger(query)) {
            return (0);
        }
    } catch (const std::exception&) {
        // away
    }
    handle.setStatus(CalloutHandle::NEXT_STEP_DROP);
    return (0);
}

} // extern "C"
